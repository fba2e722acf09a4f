//! Where plugin files are: the command line, `[plugins]` of the configuration files, `NNUNET_PLUGIN_PATH`, and the
//! user's own folder, in this order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use semver::VersionReq;

use crate::config::{File, PluginTable, Scope};
use crate::plugin::RejectedPlugin;
use crate::registry::Origin;
use crate::trust::{self, Pin};
use crate::user_folders::user_folder;

/// A plugin file and how it was found.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// How it was found.
    pub origin: Origin,
    /// It may shadow built-ins.
    pub allow_override: bool,
    /// What it must be.
    pub pin: Pin,
}

impl Candidate {
    fn found(path: PathBuf, origin: fn(PathBuf) -> Origin, allow_override: bool) -> Self {
        Self { origin: origin(path.clone()), path, allow_override, pin: Pin::default() }
    }

    /// Whether no command works without this file: it is named on the command line, or may replace built-in components,
    /// which must not be used in its place.
    #[must_use]
    pub fn must_load(&self) -> bool {
        match self.origin {
            Origin::CommandLine(_) => true,
            Origin::Project(_) | Origin::UserListed(_) => self.allow_override,
            _ => false,
        }
    }
}

/// All candidates, in order of precedence, and the folders that are not looked into. A file that is found twice counts
/// once, where it has the higher precedence.
///
/// # Errors
/// Returns an error for an invalid version requirement.
pub fn candidates(files: &[File], named: &[PathBuf]) -> Result<(Vec<Candidate>, Vec<RejectedPlugin>)> {
    let mut all: Vec<Candidate> =
        named.iter().map(|path| Candidate::found(path.clone(), Origin::CommandLine, true)).collect();
    let mut rejected = Vec::new();
    all.extend(listed(files, Scope::Project, Origin::Project)?);
    let path = std::env::var_os("NNUNET_PLUGIN_PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()) {
        all.extend(in_folder(&folder, Origin::PluginPath, &mut rejected));
    }
    all.extend(listed(files, Scope::User, Origin::UserListed)?);
    if let Some(folder) = user_folder().filter(|folder| folder.is_dir()) {
        all.extend(in_folder(&folder, Origin::User, &mut rejected));
    }
    let mut seen = BTreeSet::new();
    all.retain(|candidate| seen.insert(candidate.path.canonicalize().unwrap_or(candidate.path.clone())));
    Ok((all, rejected))
}

fn listed(files: &[File], scope: Scope, origin: fn(PathBuf) -> Origin) -> Result<Vec<Candidate>> {
    let of_scope = files.iter().filter(|file| file.scope == scope);
    let tables = of_scope.flat_map(|file| file.plugins.iter().map(move |(name, table)| (file, name, table)));
    tables
        .map(|(file, name, table)| {
            let path = beside(&file.path, &table.path);
            let pin = pin(table).with_context(|| format!("{}: [plugins.{name}]", file.path.display()))?;
            Ok(Candidate { pin, ..Candidate::found(path, origin, table.allow_override) })
        })
        .collect()
}

/// A path in a configuration file is relative to that file.
pub fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

fn pin(table: &PluginTable) -> Result<Pin> {
    let requirement = table.version.as_deref().map(VersionReq::parse).transpose();
    let version = requirement.context("version must be a requirement such as \"0.2\" or \">=1.1, <2\"")?;
    Ok(Pin { version, sha256: table.sha256.clone() })
}

/// Shared libraries of a folder, sorted. A folder everybody may write to is rejected as a whole.
fn in_folder(
    folder: &Path,
    origin: fn(PathBuf) -> Origin,
    rejected: &mut Vec<RejectedPlugin>,
) -> Vec<Candidate> {
    if let Err(error) = trust::private(folder) {
        rejected.push(RejectedPlugin { path: folder.to_owned(), status: "broken", error });
        return Vec::new();
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "so")).collect();
    found.sort();
    found.into_iter().map(|path| Candidate::found(path, origin, false)).collect()
}
