//! Lets programs, tests and benches find libtorch where the build found it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // nnunet-plugin-core, built together with programs that use tensors, knows the error type of tch, so objects of tch and
    // its C++ wrapper reach the linker. Nothing refers to them, and the linker removes them together with libtorch unless
    // the program exports their symbols to libtorch: it exports none.
    println!("cargo::rustc-link-arg-bin=nnunet=-Wl,--exclude-libs,ALL");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
