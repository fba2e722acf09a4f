//! `nnunet.toml`: planners, trainers and plugins of a project; below it the user's own file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_plugin_api::abi::v1::Import;
use nnunet_plugin_api::{Component, Config as Table, Factory, Info, Kind, Planner, PlannerSettings, overlay};
use serde::Deserialize;

use crate::loader::{self, Candidate, Plugin};
use crate::registry::{Origin, Registry};

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
    /// Plugins by name.
    pub plugins: BTreeMap<String, PluginTable>,
    /// Where it was read.
    #[serde(skip)]
    pub path: PathBuf,
}

/// A plugin in `[plugins]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginTable {
    /// The shared library; relative to the configuration file.
    pub path: PathBuf,
    /// It may shadow built-ins.
    #[serde(default)]
    pub allow_override: bool,
}

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that is not TOML, or a key that is unknown.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
        file.path = path.to_owned();
        Ok(file)
    }
}

/// The files that apply, the project's first: `--config`, `NNUNET_CONFIG` or `./nnunet.toml`; then the user's.
///
/// # Errors
/// As [`File::load`].
pub fn files(named: Option<&Path>) -> Result<Vec<File>> {
    let named = named.map(Path::to_owned).or_else(|| std::env::var_os("NNUNET_CONFIG").map(PathBuf::from));
    let project = named.or_else(|| Path::new(FILE).is_file().then(|| PathBuf::from(FILE)));
    let home = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    let user = home.map(|home| home.join("nnunet").join(FILE)).filter(|path| path.is_file());
    project.into_iter().chain(user).map(|path| File::load(&path)).collect()
}

/// How a component is made from a table of changes.
pub type FromTable = fn(Info, Table) -> Result<Component>;

/// What a program needs to fill its registry.
#[derive(Debug, Clone, Copy)]
pub struct Kit {
    /// Makes registry entries of plugins' components.
    pub import: Import,
    /// Makes a trainer from a table.
    pub trainer: FromTable,
}

/// The kit of a program without tensors.
pub const LIGHT: Kit = Kit { import: nnunet_plugin_api::abi::v1::import, trainer: described_only };

fn described_only(info: Info, _table: Table) -> Result<Component> {
    Ok(Component { info, factory: Factory::Elsewhere })
}

/// A filled registry and the plugins in it.
#[derive(Debug)]
pub struct World {
    /// All components.
    pub registry: Registry,
    /// Loaded plugins.
    pub plugins: Vec<Plugin>,
    /// Plugins that could not be used, with the reason.
    pub broken: Vec<(PathBuf, anyhow::Error)>,
}

/// Built-ins, components of configuration files, and plugins, with the one rule of precedence. A plugin named on the
/// command line or in a file must load; one that was merely found is reported when it does not.
///
/// # Errors
/// A configuration file or named plugin that cannot be used.
pub fn world(kit: Kit, named: Option<&Path>, plugin_files: &[PathBuf]) -> Result<World> {
    let mut world = World { registry: crate::built_in()?, plugins: Vec::new(), broken: Vec::new() };
    let files = files(named)?;
    for candidate in candidates(&files, plugin_files) {
        match loader::load(&candidate, kit.import, &mut world.registry) {
            Ok(plugin) => world.plugins.push(plugin),
            Err(error) if matches!(candidate.origin, Origin::CommandLine(_) | Origin::Project(_)) => {
                return Err(error);
            }
            Err(error) => world.broken.push((candidate.path, error)),
        }
    }
    for file in &files {
        register_tables(kit, file, &mut world.registry).with_context(|| file.path.display().to_string())?;
    }
    Ok(world)
}

fn candidates(files: &[File], named: &[PathBuf]) -> Vec<Candidate> {
    let found = |path: PathBuf, origin: fn(PathBuf) -> Origin, allow_override| Candidate {
        origin: origin(path.clone()),
        path,
        allow_override,
    };
    let mut all: Vec<Candidate> =
        named.iter().map(|path| found(path.clone(), Origin::CommandLine, true)).collect();
    for file in files {
        let folder = file.path.parent().unwrap_or(Path::new("."));
        let tables = file.plugins.values();
        all.extend(
            tables.map(|table| found(folder.join(&table.path), Origin::Project, table.allow_override)),
        );
    }
    let folders = std::env::var_os("NNUNET_PLUGIN_PATH").unwrap_or_default();
    for folder in std::env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty()) {
        all.extend(loader::in_folder(&folder).into_iter().map(|path| found(path, Origin::PluginPath, false)));
    }
    if let Some(folder) = loader::user_folder() {
        all.extend(loader::in_folder(&folder).into_iter().map(|path| found(path, Origin::User, false)));
    }
    all
}

fn register_tables(kit: Kit, file: &File, registry: &mut Registry) -> Result<()> {
    let origin = || Origin::Config(file.path.clone());
    for (name, table) in &file.planners {
        let extends = extends(Kind::Planner, name, table)?;
        let info = Info::new(Kind::Planner, name.clone(), format!("{extends} with changes"));
        let table = without_extends(table);
        let component = Component::planner(info, move |_| {
            Ok(Box::new(TablePlanner { extends: extends.clone(), table: table.clone() }))
        });
        registry.register(component, "config", origin(), false)?;
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
