//! Lets tests and benches find libtorch where the build found it. Programs are started with a libtorch by `nnunet`, and
//! hold no path of the machine they were built on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // nnunet-plugin-core, built together with programs that use tensors, knows the error type of tch, so objects of tch and
    // its C++ wrapper reach the linker. Nothing refers to them, and the linker removes them together with libtorch unless
    // the program exports their symbols to libtorch: it exports none.
    println!("cargo::rustc-link-arg-bin=nnunet=-Wl,--exclude-libs,ALL");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg-tests=-Wl,-rpath,{folder}");
    }
}
