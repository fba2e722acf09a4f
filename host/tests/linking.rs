//! One `cargo build` of the whole workspace gives programs and plugins that are linked with libtorch only where they use
//! tensors, although Cargo unites the features of all crates it builds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::Command;

use nnunet_tests::{plugin, programs};

/// The shared libraries a file is linked with.
fn needed(file: &Path) -> Vec<String> {
    let output = Command::new("readelf").arg("-d").arg(file).output().unwrap();
    assert!(output.status.success(), "readelf -d {}", file.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| line.contains("(NEEDED)"));
    lines.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned())).collect()
}

fn of_libtorch(file: &Path) -> Vec<String> {
    let all = needed(file);
    assert!(all.iter().any(|name| name.starts_with("libc.so")), "{}: {all:?}", file.display());
    all.into_iter().filter(|name| name.starts_with("libtorch") || name.starts_with("libc10")).collect()
}

#[test]
fn what_uses_no_tensors_is_not_linked_with_libtorch() {
    assert_eq!(of_libtorch(&programs().join("nnunet")), [""; 0]);
    for name in ["my_augmentation", "my_imaging", "my_planner", "my_postprocessor", "my_preprocessor"] {
        assert_eq!(of_libtorch(&plugin(name)), [""; 0], "{name}");
    }
}

#[test]
fn what_uses_tensors_is() {
    for file in [programs().join("nnunet-torch"), plugin("my_trainer"), plugin("misbehaving")] {
        assert!(of_libtorch(&file).contains(&"libtorch_cpu.so".to_owned()), "{}", file.display());
    }
}
