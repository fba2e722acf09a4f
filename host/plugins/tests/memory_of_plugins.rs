//! A memory checker over loading, making, calling and dropping: no invalid access and no leak in what crosses.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests fail by panicking")]

use std::path::PathBuf;
use std::process::Command;

/// Folder of the built programs: the one above this test's own.
fn programs() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

#[test]
fn valgrind_finds_nothing() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("skipped valgrind_finds_nothing: there is no valgrind; apt-get install valgrind");
        return;
    }
    let plugins = ["my_imaging", "my_planner"].map(|name| programs().join(format!("lib{name}.so")));
    for plugin in &plugins {
        assert!(plugin.is_file(), "{} is not built; run `cargo verify`", plugin.display());
    }
    // The images stay loaded on purpose; what is still reachable at the end is theirs.
    let output = Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"])
        .args(["--show-leak-kinds=definite"])
        .arg(programs().join("examples/plugin_calls"))
        .args(&plugins)
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("my-imaging: 3 components made, called and dropped"), "{text}");
}
