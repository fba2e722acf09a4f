//! Writes versions and hashes of plugins into `[plugins]` of a configuration file. Comments and order stay.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_formats::atomic;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::config::{self, File};
use crate::discovery::{beside, candidates};
use crate::plugin::Description;
use crate::probe;
use crate::trust::{OpenFile, Pin};

/// A plugin that was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Name of its table.
    pub name: String,
    /// Version.
    pub version: String,
    /// Hash.
    pub sha256: String,
}

/// Pins the plugins of a file: those of the names given, or all it lists. A name it does not list is looked for where
/// plugins are found, and listed.
///
/// # Errors
/// Returns an error for a file that is not TOML, or for a plugin that is not found, cannot be used, or does not meet
/// its version requirement.
pub fn pin(file: &Path, names: &[String]) -> Result<Vec<Pinned>> {
    let text = if file.is_file() { std::fs::read_to_string(file)? } else { String::new() };
    let in_file = || file.display().to_string();
    let mut document: DocumentMut = text.parse().with_context(in_file)?;
    let plugins = document.entry("plugins").or_insert_with(implicit_table);
    let plugins = plugins.as_table_like_mut().context("plugins is not a table").with_context(in_file)?;
    let listed: Vec<String> = plugins.iter().map(|(name, _)| name.to_owned()).collect();
    let names = if names.is_empty() { &listed } else { names };
    ensure!(!names.is_empty(), "{} lists no plugins; name the ones to pin", file.display());
    let mut pinned = Vec::new();
    for name in names {
        if !listed.contains(name) {
            let mut table = Table::new();
            table.insert("path", value(find(name)?.display().to_string()));
            plugins.insert(name, Item::Table(table));
        }
        let table = plugins.get_mut(name).and_then(Item::as_table_like_mut);
        let table = table.with_context(|| format!("{}: plugins.{name} is not a table", file.display()))?;
        pinned.push(pin_one(file, name, table).with_context(|| format!("[plugins.{name}]"))?);
    }
    atomic::write_bytes(file, document.to_string().as_bytes())?;
    File::load(file, config::Scope::Project)?;
    Ok(pinned)
}

/// Writes a plugin's version, unless there is a requirement already, and its hash into its table.
fn pin_one(file: &Path, name: &str, table: &mut dyn TableLike) -> Result<Pinned> {
    let text = |key: &str| table.get(key).and_then(Item::as_str);
    let (about, sha256) = look(&beside(file, Path::new(text("path").context("has no path")?)))?;
    let required = text("version").map(semver::VersionReq::parse).transpose();
    let pin = Pin { version: required.context("version")?, sha256: None };
    pin.check_version(&about.version)?;
    if pin.version.is_none() {
        table.insert("version", value(&about.version));
    }
    table.insert("sha256", value(&sha256));
    Ok(Pinned { name: name.to_owned(), version: about.version, sha256 })
}

/// `[plugins]` itself is not written when all it holds are tables.
fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn look(path: &Path) -> Result<(Description, String)> {
    let in_file = || format!("plugin {}", path.display());
    let open = OpenFile::new(path).with_context(in_file)?;
    let about = probe::probe(&open)?.usable().map_err(|(_, error)| error).with_context(in_file)?;
    Ok((about, open.sha256))
}

/// The file of a plugin that is found without being listed.
fn find(name: &str) -> Result<PathBuf> {
    let (found, _) = candidates(&[], &[])?;
    let named = |path: &PathBuf| look(path).is_ok_and(|(about, _)| about.name == name);
    let found = found.into_iter().map(|candidate| candidate.path).find(named);
    found.with_context(|| {
        format!("there is no plugin `{name}` in NNUNET_PLUGIN_PATH or the user's plugin folder")
    })
}
