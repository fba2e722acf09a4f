//! The user's plugin folder: what is in it, where it came from, and what is removed from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_formats::atomic;
use serde::{Deserialize, Serialize};

use super::source::{Fetched, Source};
use crate::build;
use crate::plugin::{Description, library_name};
use crate::trust;
use crate::user_folders::user_folder;
use nnunet_plugin_core::suggestion::did_you_mean;

/// A plugin in the user's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Hash of the library.
    pub sha256: String,
    /// Where it was installed from.
    pub source: Source,
    /// The commit it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Puts a library into the user's plugin folder and records where it came from.
///
/// # Errors
/// Returns an error for a file that is not a usable plugin, or an I/O error.
pub fn install(fetched: &Fetched, source: &Source) -> Result<(Description, PathBuf)> {
    let (about, to) = build::install(&fetched.library)?;
    let record = Installed {
        name: about.name.clone(),
        version: about.version.clone(),
        sha256: trust::sha256(&to)?,
        source: source.clone(),
        commit: fetched.commit.clone(),
    };
    atomic::write_bytes(&record_of(&to), &serde_json::to_vec_pretty(&record)?)?;
    Ok((about, to))
}

/// The plugins that were installed, sorted by name.
///
/// # Errors
/// Returns an I/O error.
pub fn installed() -> Result<Vec<Installed>> {
    let Some(folder) = user_folder().filter(|folder| folder.is_dir()) else { return Ok(Vec::new()) };
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let libraries = entries.flatten().map(|entry| entry.path()).filter(|path| is_library(path));
    let mut all: Vec<Installed> = libraries.filter_map(|library| read(&library)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Removes a plugin from the user's folder; returns its library.
///
/// # Errors
/// Returns an error if there is no plugin of this name in the folder, or an I/O error.
pub fn remove(name: &str) -> Result<PathBuf> {
    let folder = user_folder().context("neither XDG_DATA_HOME nor HOME is set")?;
    let library = folder.join(library_name(name));
    if !library.is_file() {
        let names: Vec<String> = installed()?.into_iter().map(|plugin| plugin.name).collect();
        bail!(
            "there is no plugin `{name}` in {}{}",
            folder.display(),
            did_you_mean(name, names.iter().map(String::as_str))
        );
    }
    for file in [&library, &record_of(&library)] {
        if file.is_file() {
            std::fs::remove_file(file).with_context(|| file.display().to_string())?;
        }
    }
    Ok(library)
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "so")
}

/// The record beside a library.
fn record_of(library: &Path) -> PathBuf {
    library.with_extension("json")
}

/// What is known of a library; nothing of one that was copied by hand, or whose file is another by now.
fn read(library: &Path) -> Option<Installed> {
    let record: Installed = serde_json::from_slice(&std::fs::read(record_of(library)).ok()?).ok()?;
    (trust::sha256(library).ok()? == record.sha256).then_some(record)
}
