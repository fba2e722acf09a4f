//! Packs the sources of nnunet-plugin-api and the crates it needs, so that the installed program can build plugins.

use std::fs::File;
use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// The crates that plugins may depend on, by folder.
const CRATES: [&str; 4] = ["plugin-api", "plugin-api/core", "plugin-api/test", "plugin-api/torch"];
/// What a crate is made of.
const PARTS: [&str; 6] = ["Cargo.toml", "README.md", "build.rs", "include", "shim", "src"];

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| Error::other("OUT_DIR is not set"))?;
    let file = File::create(Path::new(&out).join("api.tar.gz"))?;
    let mut archive = Archive(tar::Builder::new(GzEncoder::new(file, Compression::best())), root);
    archive.text("Cargo.toml", &workspace(&archive.read("Cargo.toml")?)?)?;
    for folder in CRATES {
        for part in PARTS {
            archive.add(&Path::new(folder).join(part))?;
        }
    }
    archive.0.into_inner()?.finish()?.flush()
}

/// The manifest of the workspace with these crates as its only members.
fn workspace(manifest: &str) -> Result<String> {
    let start = manifest.find("members = [").ok_or_else(|| Error::other("the workspace has no members"))?;
    let end = manifest[start..].find(']').ok_or_else(|| Error::other("the members have no end"))?;
    Ok(format!("{}members = {CRATES:?}{}", &manifest[..start], &manifest[start + end + 1..]))
}

struct Archive(tar::Builder<GzEncoder<File>>, PathBuf);

impl Archive {
    fn read(&self, name: &str) -> Result<String> {
        let path = self.1.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        std::fs::read_to_string(path)
    }

    /// Adds a file, or all files of a folder, sorted, so that the same sources give the same archive.
    fn add(&mut self, name: &Path) -> Result<()> {
        let path = self.1.join(name);
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            let mut names: Vec<_> =
                std::fs::read_dir(path)?.flatten().map(|entry| entry.file_name()).collect();
            names.sort();
            return names.iter().try_for_each(|inside| self.add(&name.join(inside)));
        }
        if path.is_file() {
            let text = self.read(&name.display().to_string())?;
            self.text(&name.display().to_string(), &text)?;
        }
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        self.0.append_data(&mut header, name, text.as_bytes())
    }
}
