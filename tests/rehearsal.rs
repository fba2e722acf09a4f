//! The CUDA device of `tests/rehearsal`: built once, preloaded into `nnunet-torch`. It is no GPU and says nothing about
//! speed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{Outcome, World, programs};

const SOURCES: [&str; 6] = ["counts.h", "graph.h", "memory.h", "device.cpp", "graph.cpp", "operators.cpp"];

/// What the device counted in one run of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Operators.
    pub kernels: u64,
    /// Copies to the device.
    pub uploads: u64,
    /// Of these, from pinned memory.
    pub pinned_uploads: u64,
    /// Copies to the device on another stream than the kernels'.
    pub early_uploads: u64,
    /// Reads that wait for the device.
    pub waits: u64,
    /// Bytes copied from the device.
    pub downloaded_bytes: u64,
    /// Most memory by device.
    pub peak_bytes: Vec<u64>,
}

impl World {
    /// Commands on the CPU then use libtorch's operators alone, as those on the device do.
    #[must_use]
    pub fn with_libtorch_operators(mut self) -> Self {
        self.variables.push(("NNUNET_CPU_OPERATORS", "libtorch".into()));
        self
    }

    /// Runs `nnunet-torch` with the device preloaded. `variables` may set `REHEARSAL_GPUS` and `REHEARSAL_BYTES`.
    #[must_use]
    pub fn run_beside_gpu(&self, line: &str, variables: &[(&str, &str)]) -> Outcome {
        let library = library().display().to_string();
        let mut all = vec![("LD_PRELOAD", library.as_str())];
        all.extend_from_slice(variables);
        self.run_program(&programs().join("nnunet-torch"), line, &all)
    }

    /// As [`World::run_beside_gpu`], for commands that use the device, with what they did there.
    #[must_use]
    pub fn run_on_gpu(&self, line: &str, variables: &[(&str, &str)]) -> (Outcome, Counts) {
        let report = self.path("rehearsal.json");
        let _ = std::fs::remove_file(&report);
        let report_path = report.display().to_string();
        let mut all = vec![("REHEARSAL_REPORT", report_path.as_str())];
        all.extend_from_slice(variables);
        let outcome = self.run_beside_gpu(line, &all);
        let text = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("{line}\n{}", outcome.text));
        // Processes that the program starts report too, before it.
        let counts = counts(text.lines().last().unwrap_or_default());
        (outcome, counts)
    }

    /// As [`World::run_on_gpu`]; the command must succeed.
    pub fn succeed_on_gpu(&self, line: &str, variables: &[(&str, &str)]) -> (String, Counts) {
        let (outcome, counts) = self.run_on_gpu(line, variables);
        assert_eq!(outcome.code, 0, "nnunet-torch {line}\n{}", outcome.text);
        (outcome.text, counts)
    }
}

fn counts(line: &str) -> Counts {
    let after = |key: &str| {
        let at = line.find(&format!("\"{key}\": ")).unwrap_or_else(|| panic!("no {key} in `{line}`"));
        &line[at + key.len() + 4..]
    };
    let number = |text: &str| {
        text.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("").parse().expect("a number")
    };
    let list = after("peak_bytes").trim_start_matches('[').split(']').next().unwrap_or("");
    Counts {
        kernels: number(after("kernels")),
        uploads: number(after("uploads")),
        pinned_uploads: number(after("pinned_uploads")),
        early_uploads: number(after("early_uploads")),
        waits: number(after("waits")),
        downloaded_bytes: number(after("downloaded_bytes")),
        peak_bytes: list.split(", ").map(number).collect(),
    }
}

/// The built library.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(build)
}

/// The folder of a library that stands in for NCCL between such devices (`nccl.c`), for `LD_LIBRARY_PATH`.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn nccl() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build_nccl)
}

fn build_nccl() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("rehearsal/nccl.c");
    let mut hasher = DefaultHasher::new();
    std::fs::read(&source).expect("a source").hash(&mut hasher);
    let folder = programs().join(format!("rehearsal/nccl-{:016x}", hasher.finish()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let library = folder.join("libnccl.so.2");
    if !library.is_file() {
        let fresh = folder.join(format!("new-{}.so", std::process::id()));
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let done = Command::new(&compiler)
            .args(["-std=gnu11", "-O1", "-fPIC", "-shared", "-Wl,-soname,libnccl.so.2", "-o"])
            .args([&fresh, &source])
            .output()
            .unwrap_or_else(|error| panic!("{compiler}: {error}"));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::rename(&fresh, &library).expect("a renamed file");
    }
    folder
}

/// One file for each state of the sources and libtorch, so that tests that run at the same time do no harm.
fn build() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rehearsal");
    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| repository.join(".libtorch"), PathBuf::from);
    let mut hasher = DefaultHasher::new();
    libtorch.hash(&mut hasher);
    for name in SOURCES {
        std::fs::read(folder.join(name)).expect("a source").hash(&mut hasher);
    }
    let place = programs().join("rehearsal");
    std::fs::create_dir_all(&place).expect("a folder");
    let library = place.join(format!("librehearsal-{:016x}.so", hasher.finish()));
    if !library.is_file() {
        let fresh = library.with_extension(format!("new-{}", std::process::id()));
        compile(&folder, &libtorch, &fresh);
        std::fs::rename(&fresh, &library).expect("a renamed file");
    }
    library
}

fn compile(folder: &Path, libtorch: &Path, output: &Path) {
    let include = libtorch.join("include");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let done = Command::new(&compiler)
        .args(["-std=c++17", "-O1", "-fPIC", "-shared", "-w"])
        .args(SOURCES.iter().filter(|name| name.ends_with(".cpp")).map(|name| folder.join(name)))
        .arg("-I")
        .arg(include.join("torch/csrc/api/include"))
        .arg("-I")
        .arg(&include)
        .arg(format!("-L{}", libtorch.join("lib").display()))
        .args(["-ltorch_cpu", "-lc10", "-o"])
        .arg(output)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
