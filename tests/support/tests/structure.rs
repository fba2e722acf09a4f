//! The structure of the source code: no circles among the files of a crate, and no crate that has grown too large.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "structure/circles.rs"]
mod circles;
#[path = "structure/modules.rs"]
mod modules;
#[path = "structure/uses.rs"]
mod uses;

use std::path::{Path, PathBuf};

/// Most lines of a crate.
const MOST_LINES: usize = 5_000;
/// Crates that may be larger, and why.
const LARGER: [(&str, &str); 5] = [
    ("host/cli", "every command with its arguments, one file each"),
    (
        "host/data",
        "data sets, v1's pipeline, the selection of models and their exchange share one set of records",
    ),
    ("host/formats", "one reader and writer for each file format, which share only errors and geometry"),
    ("plugin-api/core", "the stable ABI has one file for each trait that crosses it"),
    ("host/torch", "training and prediction of both model families, which share devices and the pipeline"),
];

/// Folders with files that still use each other, and why. Remove a line when its circle is cut; add none.
const KNOWN_CIRCLES: [(&str, &str); 2] = [
    ("host/torch/src/devices", "children use the devices of their parent"),
    (
        "plugin-api/core/src",
        "created components keep the plugin's root alive; factories with tensors are components",
    ),
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

#[test]
fn no_files_of_a_crate_use_each_other() {
    let crates = crates();
    assert!(crates.len() > 15, "only {} crates were found", crates.len());
    let mut circles = Vec::new();
    for folder in crates {
        let modules = modules::read(&folder.join("src"));
        let edges = uses::edges(&modules);
        for circle in circles::find(&edges) {
            let files: Vec<String> = circle.iter().map(|index| shown(&modules.all[*index].file)).collect();
            let text = files.join(" -> ");
            let known = |known: &(&str, &str)| files.iter().all(|file| file.starts_with(known.0));
            if !KNOWN_CIRCLES.iter().any(known) {
                circles.push(text);
            }
        }
    }
    assert!(circles.is_empty(), "files use each other in circles:\n{}", circles.join("\n"));
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
