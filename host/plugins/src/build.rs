//! Plugin crates: built with cargo, with one folder for everything they have in common, and installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::atomic;
use nnunet_libtorch::Search;
use serde::Deserialize;
use toml::Table;

use crate::api_sources::{CRATES, checkout};
use crate::plugin::{self, Description};
use crate::probe;
use crate::trust::{self, OpenFile};
use crate::user_folders::{cache_folder, user_folder};

pub use crate::api_sources::api_sources;

/// The user's libtorch, or that of this program's checkout, or the one that programs with tensors are started with. Always
/// the same path for the same folder: cargo builds the bindings again when it changes.
fn libtorch() -> Option<PathBuf> {
    let of_checkout = || checkout()?.join(".libtorch").canonicalize().ok();
    let found = || Search::of_program(&std::env::current_exe().ok()?).run().ok()?.folder.canonicalize().ok();
    std::env::var_os("LIBTORCH").map(PathBuf::from).or_else(of_checkout).or_else(found)
}

/// Where cargo keeps what several plugin crates share: dependencies are compiled once.
fn shared_builds() -> Option<PathBuf> {
    Some(cache_folder()?.join("builds"))
}

/// `.cargo/config.toml` of a plugin crate on this machine: where builds and libtorch are, and, while nnunet-plugin-api is in
/// no registry, where its sources are. The crate itself has no path of this machine.
///
/// # Errors
/// As [`api_sources`].
pub fn cargo_config(tensors: bool, api: Option<&Path>) -> Result<String> {
    let mut text =
        "# How this machine builds plugins of nnunet: see `nnunet plugins cargo_config`.\n".to_owned();
    if let Some(folder) = shared_builds() {
        text += &format!("[build]\nbuild-dir = {folder:?}\n");
    }
    if let Some(folder) = libtorch().filter(|_| tensors) {
        text += &format!("\n[env]\nLIBTORCH = {folder:?}\n");
    }
    let api =
        api.map_or_else(api_sources, |api| api.canonicalize().with_context(|| api.display().to_string()))?;
    text += "\n[patch.crates-io]\n";
    for (name, folder) in CRATES.into_iter().filter(|(name, _)| WRITTEN.contains(name)) {
        text += &format!("{name} = {{ path = {:?} }}\n", api.join(folder));
    }
    Ok(text)
}

/// The crates that a new plugin depends on.
const WRITTEN: [&str; 2] = ["nnunet-plugin-api", "nnunet-plugin-test"];

/// Options of cargo that name the sources of the crates of nnunet that a crate takes from a registry.
fn patches(manifest: &Path) -> Result<Vec<String>> {
    let shown = || manifest.display().to_string();
    let manifest: Table =
        toml::from_str(&std::fs::read_to_string(manifest).with_context(shown)?).with_context(shown)?;
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    let dependencies = tables.iter().filter_map(|name| manifest.get(*name)?.as_table()).flatten();
    let from_registry =
        dependencies.filter(|(_, value)| value.get("path").is_none() && value.get("git").is_none());
    let names: BTreeSet<&str> = from_registry
        .map(|(name, value)| value.get("package").and_then(toml::Value::as_str).unwrap_or(name))
        .collect();
    let api = api_sources()?;
    let used = CRATES.into_iter().filter(|(name, _)| names.contains(name));
    Ok(used.map(|(name, folder)| format!("patch.crates-io.{name}.path={:?}", api.join(folder))).collect())
}

/// Builds a crate in release mode and returns its shared library.
///
/// # Errors
/// Returns an error if there is no cargo, or if the crate does not compile or makes no shared library.
pub fn build(folder: &Path) -> Result<PathBuf> {
    let manifest = folder.join("Cargo.toml");
    ensure!(
        manifest.is_file(),
        "there is no {}; name a plugin's crate or its built library",
        manifest.display()
    );
    tracing::info!("building {}", folder.display());
    let output = cargo()
        .args([
            "build",
            "--release",
            "--lib",
            "--message-format",
            "json-render-diagnostics",
            "--manifest-path",
        ])
        .arg(&manifest)
        .args(patches(&manifest)?.iter().flat_map(|patch| ["--config", patch]))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo; install Rust from https://rustup.rs")?;
    ensure!(output.status.success(), "{} does not build; cargo says why above", folder.display());
    let lines = String::from_utf8_lossy(&output.stdout);
    let artifacts = lines.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let manifest = manifest.canonicalize().context("the manifest")?;
    let own = artifacts.filter(|artifact| artifact.manifest_path == manifest);
    let library =
        own.flat_map(|artifact| artifact.filenames).find(|file| file.extension() == Some("so".as_ref()));
    library.with_context(|| {
        format!("{} makes no shared library; its [lib] needs crate-type = [\"cdylib\"]", folder.display())
    })
}

/// A cargo that finds libtorch and the shared builds, unless the user has others.
fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let unset = |name: &str| std::env::var_os(name).is_none();
    if let Some(folder) = libtorch() {
        cargo.env("LIBTORCH", folder);
    }
    if let Some(folder) = shared_builds().filter(|_| unset("CARGO_BUILD_BUILD_DIR")) {
        cargo.env("CARGO_BUILD_BUILD_DIR", folder);
    }
    cargo
}

/// An artifact in cargo's output.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
}

/// Puts a library into the user's plugin folder, if it can be used.
///
/// # Errors
/// Returns an error for a file that is not a usable plugin, or an I/O error.
pub fn install(library: &Path) -> Result<(Description, PathBuf)> {
    let shown = || format!("plugin {}", library.display());
    let open = OpenFile::new(library).with_context(shown)?;
    let about = probe::probe(&open)?.usable().map_err(|(_, error)| error);
    let about = about.with_context(shown)?;
    let Some(folder) = user_folder() else { bail!("neither XDG_DATA_HOME nor HOME is set") };
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    trust::private(&folder)?;
    let to = folder.join(plugin::library_name(&about.name));
    atomic::replace(&to, |temporary| -> Result<()> {
        std::fs::copy(open.descriptor(), temporary).with_context(|| temporary.display().to_string())?;
        Ok(())
    })?;
    Ok((about, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_crate_takes_from_a_registry_is_patched() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        let patched = |dependencies: &str| {
            std::fs::write(&manifest, format!("[package]\nname = \"p\"\n{dependencies}")).unwrap();
            let names = |patch: String| patch.split('.').nth(2).unwrap().to_owned();
            patches(&manifest).unwrap().into_iter().map(names).collect::<Vec<_>>()
        };
        assert_eq!(patched("[dependencies]\nnnunet-plugin-api = \"0.1\"\n"), ["nnunet-plugin-api"]);
        assert_eq!(
            patched(
                "[dependencies]\napi = { package = \"nnunet-plugin-core\", version = \"0.1\" }\n[dev-dependencies]\nnnunet-plugin-test = \"0.1\"\n"
            ),
            ["nnunet-plugin-core", "nnunet-plugin-test"]
        );
        assert!(
            patched("[dependencies]\nnnunet-plugin-api = { path = \"api\" }\nserde = \"1\"\n").is_empty()
        );
    }
}
