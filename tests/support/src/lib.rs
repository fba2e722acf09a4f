//! What the tests of several crates share: where the reference results of Python nnU-Net lie.
#![allow(clippy::panic, clippy::print_stderr, reason = "this crate exists for tests")]

use std::path::{Path, PathBuf};

/// A folder of the reference data: below `NNUNET_REFERENCE`, or else below `shared/reference` beside the repository.
///
/// `None`, with a line that names the test, when it is absent; a panic when `CI=true`.
pub fn reference(folder: &str, test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NNUNET_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: no reference data at {}", path.display());
    eprintln!("skipped {test}: no reference data at {}", path.display());
    None
}

/// Files of a folder with an ending, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    let mut paths: Vec<PathBuf> = entries.unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    paths.sort();
    paths
}
