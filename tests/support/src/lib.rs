//! What the tests of several crates share: where the results of Python nnU-Net lie, and comparisons with them.
#![allow(clippy::panic, clippy::expect_used, clippy::print_stderr, reason = "this crate exists for tests")]

pub mod http;
pub mod odd;

use std::path::{Path, PathBuf};

use nnunet_formats::json::Json;
use nnunet_formats::nifti;

/// A folder of `tests/golden`: results of Python nnU-Net that are part of the repository.
///
/// # Panics
/// The folder does not exist.
#[must_use]
pub fn golden(folder: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden").join(folder);
    assert!(path.is_dir(), "{} does not exist", path.display());
    path
}

/// A folder of the results with patients' images, which are not part of the repository: below `NNUNET_REFERENCE`, or else
/// below `shared/reference` beside the repository.
///
/// `None`, with a line that names the test, when it is absent.
///
/// # Panics
/// The folder does not exist and `CI=true`.
pub fn reference(folder: &str, test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("NNUNET_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"),
        PathBuf::from,
    );
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    let missing =
        format!("{} does not exist; set NNUNET_REFERENCE to the folder that has {folder}", path.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {missing}");
    eprintln!("{test} was skipped: {missing}");
    None
}

/// Files of a folder with an ending, sorted.
///
/// # Panics
/// The folder cannot be read.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
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

/// Compares all label maps of a folder with those of the same names in another; returns their number.
///
/// # Panics
/// There are none, one is missing, or a voxel differs.
pub fn same_labels(expected: &Path, got: &Path) -> usize {
    let read = |path: &Path| nifti::read(path).unwrap_or_else(|error| panic!("{error}")).data;
    let expected = files(expected, ".nii.gz");
    assert!(!expected.is_empty(), "no label maps to compare with");
    for file in &expected {
        let ours = got.join(file.file_name().unwrap_or_default());
        assert_eq!(read(file), read(&ours), "{}", file.display());
    }
    expected.len()
}
