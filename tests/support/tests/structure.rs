//! The structure of the source code: no circles among the files and the modules of a crate, and no crate that has grown too
//! large.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "structure/circles.rs"]
mod circles;
#[path = "structure/modules.rs"]
mod modules;
#[path = "structure/uses.rs"]
mod uses;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use modules::Modules;

/// Most lines of a crate.
const MOST_LINES: usize = 5_000;
/// Crates that may be larger, and why.
const LARGER: [(&str, &str); 5] = [
    ("host/cli", "every command with its arguments, one file each"),
    (
        "host/data",
        "the data of both model families share folders, images, records and the work over many cases",
    ),
    ("host/formats", "one reader and writer for each file format, which share only errors and geometry"),
    (
        "plugin-api/core",
        "half of it is the stable ABI: the layouts of the types that cross it name their crate, so they stay",
    ),
    ("host/torch", "training and prediction of both model families, which share devices and the pipeline"),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The folders of all product crates: those with a `Cargo.toml` and `src`.
fn crates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["plugin-api", "plugins", "host"].map(|name| repository().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        if folder.join("Cargo.toml").is_file() && folder.join("src").is_dir() {
            found.push(folder.clone());
        }
        let entries = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
        let inner =
            entries.filter(|path| path.is_dir() && !path.ends_with("src") && !path.ends_with("tests"));
        folders.extend(inner);
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

/// All circles of all crates, each as the files or folders on it.
fn circles(edges: impl Fn(&Modules) -> Vec<BTreeSet<usize>>) -> Vec<String> {
    let crates = crates();
    assert!(crates.len() > 15, "only {} crates were found", crates.len());
    let of_crate = |folder: &PathBuf| {
        let modules = modules::read(&folder.join("src"));
        let name = |index: &usize| shown(&modules.all[*index].file);
        let found = circles::find(&edges(&modules)).into_iter();
        found.map(|circle| circle.iter().map(name).collect::<Vec<_>>().join(" -> ")).collect::<Vec<_>>()
    };
    crates.iter().flat_map(of_crate).collect()
}

#[test]
fn no_files_of_a_crate_use_each_other() {
    let circles = circles(uses::edges);
    assert!(circles.is_empty(), "files use each other in circles:\n{}", circles.join("\n"));
}

#[test]
fn no_modules_of_a_crate_use_each_other() {
    let circles = circles(|modules| uses::between_siblings(modules, &uses::edges(modules)));
    assert!(
        circles.is_empty(),
        "modules, each with all files in it, use each other in circles:\n{}",
        circles.join("\n")
    );
}

#[test]
fn no_crate_is_too_large() {
    let mut large = Vec::new();
    for folder in crates() {
        let modules = modules::read(&folder.join("src"));
        let lines: usize = modules.all.iter().map(|module| module.lines).sum();
        let name = shown(&folder);
        if lines > MOST_LINES && !LARGER.iter().any(|(larger, _)| *larger == name) {
            large.push(format!("{name} has {lines} lines"));
        }
    }
    assert!(
        large.is_empty(),
        "a crate has at most {MOST_LINES} lines; split it, or add it to LARGER with the reason: {}",
        large.join(", ")
    );
}

/// The check itself, on a made-up crate.
#[test]
fn a_circle_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("lib.rs", "mod a; mod b; mod c; pub use a::A;");
    write("a.rs", "use crate::b::B; pub struct A(B);");
    write("b.rs", "pub struct B; fn f() -> usize { size_of::<crate::c::C>() }");
    write("c.rs", "pub struct C; #[cfg(test)] mod tests { use crate::A; }");
    let modules = modules::read(folder.path());
    assert!(circles::find(&uses::edges(&modules)).is_empty());
    write("c.rs", "use crate::{A as Other}; pub struct C(Option<Box<Other>>);");
    let modules = modules::read(folder.path());
    let found = circles::find(&uses::edges(&modules));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].len(), 4, "a, b, c and a again");
}

/// Two modules whose files are on no circle, but which use each other all the same.
#[test]
fn a_circle_of_modules_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    for name in ["a", "b"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    write("lib.rs", "mod a; mod b;");
    write("a/mod.rs", "mod upper; pub mod lower;");
    write("a/upper.rs", "use crate::b::B;");
    write("a/lower.rs", "pub struct Lower;");
    write("b/mod.rs", "use crate::a::lower::Lower; pub struct B(Lower);");
    let modules = modules::read(folder.path());
    let edges = uses::edges(&modules);
    assert!(circles::find(&edges).is_empty());
    assert_eq!(circles::find(&uses::between_siblings(&modules, &edges)).len(), 1);
}
