//! Passes on what the handshake must say of this build: the compiler's version and the target.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        .unwrap_or_default();
    println!("cargo::rustc-env=NNUNET_RUSTC_VERSION={version}");
    println!("cargo::rustc-env=NNUNET_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
