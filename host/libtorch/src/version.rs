//! The version of a libtorch: in `version.py` of PyTorch's wheels, in `build-version` of PyTorch's archives.

use std::fs;
use std::path::Path;

use crate::VERSION;

/// The version of a libtorch's folder: `2.11.0+cu130`.
#[must_use]
pub fn torch_version(libtorch: &Path) -> Option<String> {
    let of_archive = || fs::read_to_string(libtorch.join("build-version")).ok();
    of_wheel(libtorch, "__version__").or_else(|| Some(of_archive()?.trim().to_owned()))
}

/// The CUDA version that it was built with: `13.0`.
#[must_use]
pub fn cuda_version(libtorch: &Path) -> Option<String> {
    of_wheel(libtorch, "cuda")
}

/// Whether programs that were built with [`VERSION`] work with a version: the last of its numbers may differ.
#[must_use]
pub fn fits(version: &str) -> bool {
    let minor = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    minor(version) == minor(VERSION)
}

fn of_wheel(libtorch: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(libtorch.join("version.py")).ok()?;
    let value = text.lines().find(|line| line.starts_with(name) && line.contains('='))?.split('=').nth(1)?;
    let value = value.trim().trim_matches('\'');
    (value != "None").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_may_differ() {
        assert!(fits("2.11.0+cu130") && fits("2.11.1") && fits(VERSION));
        assert!(!fits("2.1.0") && !fits("2.12.0") && !fits("") && !fits("3.11.0"));
    }
}
