//! Compiles the shim around the functions of libtorch that tch does not bind.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=shim");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo::rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    // What torch-sys found, and the same settings as it compiles with.
    let library = PathBuf::from(env::var_os("DEP_TCH_LIBTORCH_LIB").unwrap_or_default());
    let installed = library.parent().map(PathBuf::from).unwrap_or_default();
    let includes = env::var_os("LIBTORCH_INCLUDE").map_or(installed, PathBuf::from).join("include");
    let cxx_abi = env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(includes)
        .define("_GLIBCXX_USE_CXX11_ABI", &*cxx_abi)
        .file("shim/autocast.cpp")
        .compile("nnunet_plugin_torch_shim");
}
