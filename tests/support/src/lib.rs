//! What the tests of several crates share: where the reference results of Python nnU-Net lie.
#![allow(clippy::panic, clippy::print_stderr, reason = "this crate exists for tests")]

use std::path::{Path, PathBuf};

use nnunet_formats::json::Json;

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

/// The first difference of two JSON values, if any: every key of `a` must be in `b`; numbers may differ by `tolerance`,
/// relative to 1 or more. Keys for which `skip` is true are not looked at.
#[must_use]
pub fn difference(a: &Json, b: &Json, tolerance: f64, skip: &dyn Fn(&str) -> bool) -> Option<String> {
    differ(a, b, "", &|x, y| (x - y).abs() <= tolerance * x.abs().max(1.0), skip)
}

fn differ(
    a: &Json,
    b: &Json,
    path: &str,
    close: &dyn Fn(f64, f64) -> bool,
    skip: &dyn Fn(&str) -> bool,
) -> Option<String> {
    match (a, b) {
        (Json::Object(a), Json::Object(_)) => {
            a.iter().filter(|(key, _)| !skip(key)).find_map(|(key, value)| {
                let at = format!("{path}.{key}");
                b.get(key).map_or(Some(format!("{at} is missing")), |b| differ(value, b, &at, close, skip))
            })
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(i, (a, b))| differ(a, b, &format!("{path}[{i}]"), close, skip))
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) if x.is_nan() && y.is_nan() => None,
            (Some(x), Some(y)) => (!close(x, y)).then(|| format!("{path}: {x} and {y}")),
            _ => (a != b).then(|| format!("{path}: {a:?} and {b:?}")),
        },
    }
}
