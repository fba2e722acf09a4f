//! The commands work in the checkout they are started in, also after it was moved together with its `target`.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

#[test]
fn setup_links_libtorch_in_the_present_checkout() {
    let folder = env::temp_dir().join(format!("nnunet-xtask-{}", std::process::id()));
    let (package, libtorch) = (folder.join("checkout/.cargo/xtask"), folder.join("libtorch"));
    for part in [package.clone(), libtorch.join("lib"), libtorch.join("include")] {
        fs::create_dir_all(part).unwrap();
    }
    fs::write(libtorch.join("lib/libtorch_cpu.so"), "").unwrap();
    fs::write(libtorch.join("build-version"), "2.11.0+cpu").unwrap();
    // As `cargo run` does in a checkout whose programs were built at another path.
    let status = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("setup")
        .env("CARGO_MANIFEST_DIR", &package)
        .env("LIBTORCH", &libtorch)
        .status()
        .unwrap();
    let link = fs::read_link(folder.join("checkout/.libtorch"));
    fs::remove_dir_all(&folder).unwrap();
    assert!(status.success());
    assert_eq!(link.ok(), Some(PathBuf::from(&libtorch)));
}
