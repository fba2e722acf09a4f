//! `nnunet.toml`: planners, trainers, postprocessors and plugins of a project; below it the user's own file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_plugin_api::{Component, Config as Table, Factory, Info, Kind, Planner, PlannerSettings, overlay};
use serde::Deserialize;

use crate::plugins::config_folder;
use crate::registry::{Origin, Registry};
pub use crate::world::{Kit, LIGHT, World, world};

/// The file's name.
pub const FILE: &str = "nnunet.toml";

/// One configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// Trainers as tables of changes on a parent.
    pub trainers: BTreeMap<String, Table>,
    /// Planners as tables of changes on a parent.
    pub planners: BTreeMap<String, Table>,
    /// Loggers that every training tells what happens, by name, with their parameters.
    pub loggers: BTreeMap<String, Table>,
    /// Postprocessors as tables of parameters for another one.
    pub postprocessors: BTreeMap<String, Table>,
    /// Plugins by name.
    pub plugins: BTreeMap<String, PluginTable>,
    /// Where it was read.
    #[serde(skip)]
    pub path: PathBuf,
    /// Whose it is.
    #[serde(skip)]
    pub scope: Scope,
}

/// Whose a configuration file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// The project's, or one named by the user for this run.
    #[default]
    Project,
    /// The user's, for all projects.
    User,
}

/// A plugin in `[plugins]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginTable {
    /// The shared library; relative to the configuration file.
    pub path: PathBuf,
    /// The version it must have, as in Cargo.toml: `"0.2"`, `">=1.1, <2"`.
    #[serde(default)]
    pub version: Option<String>,
    /// The hash it must have; `nnunet plugins pin` writes it.
    #[serde(default)]
    pub sha256: Option<String>,
    /// It may shadow built-ins.
    #[serde(default)]
    pub allow_override: bool,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that is not TOML, or a key that is unknown.
    pub fn load(path: &Path, scope: Scope) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(File { path: path.to_owned(), scope, ..file })
    }
}

/// The project's file: `--config`, `NNUNET_CONFIG` or `./nnunet.toml`.
#[must_use]
pub fn project_file(named: Option<&Path>) -> Option<PathBuf> {
    let named = named.map(Path::to_owned).or_else(|| std::env::var_os("NNUNET_CONFIG").map(PathBuf::from));
    named.or_else(|| Path::new(FILE).is_file().then(|| PathBuf::from(FILE)))
}

/// The files that apply, the project's first, then the user's.
///
/// # Errors
/// As [`File::load`].
pub fn files(named: Option<&Path>) -> Result<Vec<File>> {
    let user = config_folder().map(|folder| folder.join(FILE)).filter(|path| path.is_file());
    let project = project_file(named).map(|path| (path, Scope::Project));
    let all = project.into_iter().chain(user.map(|path| (path, Scope::User)));
    all.map(|(path, scope)| File::load(&path, scope)).collect()
}

/// Registers the components a file describes by tables.
///
/// # Errors
/// A table without a parent; one that would shadow a built-in.
pub(crate) fn register_tables(kit: Kit, file: &File, registry: &mut Registry) -> Result<()> {
    let origin = || match file.scope {
        Scope::Project => Origin::Config(file.path.clone()),
        Scope::User => Origin::UserConfig(file.path.clone()),
    };
    for (name, table) in &file.planners {
        let extends = extends(Kind::Planner, name, table)?;
        let info = Info::new(Kind::Planner, name.clone(), format!("{extends} with changes"));
        let table = without_extends(table);
        let component = Component::planner(info, move |_| {
            Ok(Box::new(TablePlanner { extends: extends.clone(), table: table.clone() }))
        });
        registry.register(component, "config", origin(), false)?;
    }
    for (name, table) in &file.postprocessors {
        let extends = extends(Kind::Postprocessor, name, table)?;
        let info = Info::new(Kind::Postprocessor, name.clone(), format!("{extends} with parameters"));
        registry.register(Component { info, factory: Factory::Elsewhere }, "config", origin(), false)?;
    }
    for (name, table) in &file.trainers {
        let extends = extends(Kind::Trainer, name, table)?;
        let info = Info::new(Kind::Trainer, name.clone(), format!("{extends} with changes"));
        registry.register((kit.trainer)(info, table.clone())?, "config", origin(), false)?;
    }
    Ok(())
}

/// The parent a table names.
///
/// # Errors
/// A table without one.
pub fn extends(kind: Kind, name: &str, table: &Table) -> Result<String> {
    match table.get("extends").and_then(|value| value.as_str()) {
        Some(parent) => Ok(parent.to_owned()),
        None => bail!("[{kind}s.{name}] needs extends = \"the {kind} it starts from\""),
    }
}

/// The changes of a table.
#[must_use]
pub fn without_extends(table: &Table) -> Table {
    table
        .iter()
        .filter(|(key, _)| *key != "extends")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

struct TablePlanner {
    extends: String,
    table: Table,
}

impl Planner for TablePlanner {
    fn extends(&self) -> String {
        self.extends.clone()
    }

    fn configure(&self, settings: &mut PlannerSettings) -> nnunet_plugin_api::Result<()> {
        overlay(settings, &self.table)
    }
}
