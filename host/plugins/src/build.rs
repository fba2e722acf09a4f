//! Plugin crates: built with cargo, with one folder for everything they have in common, and installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::atomic;
use serde::Deserialize;

use crate::plugin::{self, Description};
use crate::probe;
use crate::trust::{self, OpenFile};
use crate::user_folders::{cache_folder, user_folder};

/// The user's libtorch, or that of this program's checkout, or the one it was built with, if that is still there. Always the same words for the
/// same folder: cargo builds the bindings again when they change.
fn libtorch() -> Option<PathBuf> {
    let of_checkout = || checkout()?.join(".libtorch").canonicalize().ok();
    let built_with = || Path::new(option_env!("LIBTORCH")?).canonicalize().ok();
    std::env::var_os("LIBTORCH").map(PathBuf::from).or_else(of_checkout).or_else(built_with)
}

/// The checkout of nnunet that this program lies in (`target/release/nnunet`), else the one around the current folder. Where
/// the program was compiled does not matter: a checkout may have been moved together with its `target`.
fn checkout() -> Option<PathBuf> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
    let current = std::env::current_dir().ok();
    [program, current].into_iter().flatten().find_map(|place| checkout_around(&place))
}

fn checkout_around(place: &Path) -> Option<PathBuf> {
    let is_checkout = |folder: &&Path| folder.join("plugin-api/core/Cargo.toml").is_file();
    place.ancestors().find(is_checkout).map(Path::to_owned)
}

/// The sources of `nnunet-plugin-api` in this program's checkout, if there is one.
#[must_use]
pub fn api_sources() -> Option<PathBuf> {
    Some(checkout()?.join("plugin-api"))
}

/// Where cargo keeps what several plugin crates share: dependencies are compiled once.
fn shared_builds() -> Option<PathBuf> {
    Some(cache_folder()?.join("builds"))
}

/// `.cargo/config.toml` of a plugin crate on this machine.
#[must_use]
pub fn cargo_config(tensors: bool) -> String {
    let mut text =
        "# Where this machine builds plugins of nnunet; written by nnunet plugins new.\n".to_owned();
    if let Some(folder) = shared_builds() {
        text += &format!("[build]\nbuild-dir = {folder:?}\n");
    }
    if let Some(folder) = libtorch().filter(|_| tensors) {
        text += &format!("\n[env]\nLIBTORCH = {folder:?}\n");
    }
    text
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

    /// Wherever it is now.
    #[test]
    fn a_checkout_is_found_from_a_program_in_its_target_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::create_dir_all(old.join("plugin-api/core")).unwrap();
        std::fs::write(old.join("plugin-api/core/Cargo.toml"), "").unwrap();
        std::fs::create_dir_all(old.join("target/release")).unwrap();
        assert_eq!(checkout_around(&old.join("target/release/nnunet")), Some(old.clone()));
        std::fs::rename(&old, &new).unwrap();
        assert_eq!(checkout_around(&new.join("target/release/nnunet")), Some(new));
        assert_eq!(checkout_around(Path::new("/usr/bin/nnunet")), None);
    }
}
