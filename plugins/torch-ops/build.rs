//! Compiles the C++ part against the libtorch that torch-sys was built with.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=src/shim.cpp");
    println!("cargo::rerun-if-changed=src/graph.cpp");
    println!("cargo::rerun-if-changed=src/guarded.h");
    let library = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from).unwrap_or_default();
    let include = library.parent().unwrap_or(Path::new(".")).join("include");
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .warnings(false)
        .std("c++17")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        .file("src/shim.cpp")
        .file("src/graph.cpp")
        .compile("nnunet_torch_ops");
}
