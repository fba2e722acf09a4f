//! Whole ways through the program, written as scripts with v1's command names (tests/flows).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::Command;

use nnunet_tests::programs;

#[test]
fn four_configurations_of_phantoms_up_to_the_ensemble() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/phantom_cascade.sh");
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .arg(script)
        .arg(folder.path().join("work"))
        .env("NNUNET_PROGRAMS", programs())
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("NNUNET_PLUGIN_PATH")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}
