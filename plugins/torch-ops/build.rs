//! Compiles the C++ parts against the libtorch that torch-sys was built with.

use std::path::{Path, PathBuf};

const SOURCES: [&str; 10] = [
    "shim.cpp",
    "convolution.cpp",
    "graph.cpp",
    "tensor_memory.cpp",
    "norm_act/channels_last.cpp",
    "norm_act/kernels.cpp",
    "norm_act/low_memory.cpp",
    "norm_act/norm_act.cpp",
    "norm_act/statistics.cpp",
    "norm_act/training.cpp",
];

const HEADERS: [&str; 5] = [
    "guarded.h",
    "norm_act/channels_last.h",
    "norm_act/kernels.h",
    "norm_act/statistics.h",
    "norm_act/training.h",
];

fn main() {
    for file in SOURCES.iter().chain(&HEADERS) {
        println!("cargo::rerun-if-changed=src/{file}");
    }
    println!("cargo::rerun-if-changed=src/ranks.cpp");
    for name in ["work.h", "through_host.h", "nccl.h", "nccl.cpp"] {
        println!("cargo::rerun-if-changed=src/ranks/{name}");
    }
    println!("cargo::rerun-if-changed=gloo");
    println!("cargo::rerun-if-env-changed=NNUNET_WITHOUT_C10D");
    println!("cargo::rustc-check-cfg=cfg(has_c10d)");
    let library = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from).unwrap_or_default();
    let include = library.parent().unwrap_or(Path::new(".")).join("include");
    compiler(&include).files(SOURCES.iter().map(|file| format!("src/{file}"))).compile("nnunet_torch_ops");
    // Some packages of libtorch have no c10d. Training then runs in one process.
    let header = include.join("torch/csrc/distributed/c10d/ProcessGroupGloo.hpp");
    if header.is_file() && std::env::var_os("NNUNET_WITHOUT_C10D").is_none() {
        compiler(&include)
            .include("gloo")
            .define("USE_C10D_GLOO", None)
            .file("src/ranks.cpp")
            .file("src/ranks/nccl.cpp")
            .compile("nnunet_ranks");
        println!("cargo::rustc-cfg=has_c10d");
    }
}

fn compiler(include: &Path) -> cc::Build {
    let abi = std::env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .pic(true)
        .warnings(false)
        .std("c++17")
        .include(include)
        .include(include.join("torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        // norm_act gives the same values on all processors.
        .flag_if_supported("-ffp-contract=off");
    build
}
