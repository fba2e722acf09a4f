//! Components that configuration files describe by tables of changes on a parent.
//!
//! Planners, preprocessors and trainers have settings and a chain of parents; a table of them is a component of its
//! own. A table of another kind is a name for its parent with other parameters: the registry follows it.

use anyhow::{Context, Result, bail, ensure};
use nnunet_plugin_core::{
    Component, Config as Table, Info, Kind, Planner, PlannerSettings, Preprocessor, PreprocessorSettings,
    overlay,
};

use super::file::{File, Scope};
use super::trainer_keys;
use crate::component_set::ComponentSet;
use crate::registry::{Origin, Preset, Registry};
use crate::section::section;

/// Registers the components a file describes.
///
/// # Errors
/// Returns an error for a table that names no parent, an unknown parameter, or for one that would shadow a built-in.
pub(crate) fn register(set: ComponentSet, file: &File, registry: &mut Registry) -> Result<()> {
    let mut presets = Vec::new();
    trainer_keys::check(file, registry)?;
    for kind in Kind::ALL {
        for (name, table) in file.tables(kind).into_iter().flatten() {
            let extends = extends(kind, name, table)?;
            let info = Info::new(kind, name.clone(), format!("{extends} with changes"));
            match component(set, info, extends.clone(), table)? {
                Some(component) => {
                    registry.register_table(component, without_extends(table), origin(file))?;
                }
                None => presets.push((kind, name, Preset { extends, changes: without_extends(table) })),
            }
        }
    }
    register_presets(presets, file, registry)
}

fn origin(file: &File) -> Origin {
    match file.scope {
        Scope::Project => Origin::Config(file.path.clone()),
        Scope::User => Origin::UserConfig(file.path.clone()),
    }
}

/// A component of its own, for the kinds that have settings.
fn component(set: ComponentSet, info: Info, extends: String, table: &Table) -> Result<Option<Component>> {
    let changes = without_extends(table);
    Ok(Some(match info.kind {
        Kind::Trainer => (set.trainer)(info, table.clone())?,
        Kind::Planner => Component::planner(info, move |_| {
            Ok(Box::new(TablePlanner { extends: extends.clone(), table: changes.clone() }))
        }),
        Kind::Preprocessor => Component::preprocessor(info, move |_| {
            Ok(Box::new(TablePreprocessor { extends: extends.clone(), table: changes.clone() }))
        }),
        _ => return Ok(None),
    }))
}

/// Parents first, in whatever order they are written.
fn register_presets(
    mut waiting: Vec<(Kind, &String, Preset)>,
    file: &File,
    registry: &mut Registry,
) -> Result<()> {
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut later = Vec::new();
        for (kind, name, preset) in waiting {
            let place = || format!("[{}.{name}]", section(kind));
            ensure!(preset.extends != *name, "{} extends itself", place());
            if registry.find(kind, &preset.extends).is_ok() {
                registry.check_parameters(kind, &preset.extends, &preset.changes).with_context(place)?;
                registry.register_preset(kind, name, preset, origin(file))?;
            } else {
                later.push((kind, name, preset));
            }
        }
        if later.len() == before {
            later.iter().for_each(|(kind, name, preset)| block(*kind, name, preset, file, registry));
            return Ok(());
        }
        waiting = later;
    }
    Ok(())
}

/// A table whose parent is not there, perhaps because its plugin is missing, is an error of the commands that use it.
fn block(kind: Kind, name: &str, preset: &Preset, file: &File, registry: &mut Registry) {
    let Err(error) = registry.find(kind, &preset.extends) else { return };
    let why = format!("{}: [{}.{name}]: {error:#}", file.path.display(), section(kind));
    tracing::warn!("{why}");
    registry.block(kind, name, why);
}

/// The parent a table names.
///
/// # Errors
/// Returns an error for a table without one.
pub fn extends(kind: Kind, name: &str, table: &Table) -> Result<String> {
    match table.get("extends").and_then(|value| value.as_str()) {
        Some(parent) => Ok(parent.to_owned()),
        None => bail!("[{}.{name}] needs extends = \"the {kind} it starts from\"", section(kind)),
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

    fn configure(&self, settings: &mut PlannerSettings) -> nnunet_plugin_core::Result<()> {
        let before = settings.clone();
        overlay(settings, &self.table)?;
        settings.scale_reference(&before);
        Ok(())
    }
}

struct TablePreprocessor {
    extends: String,
    table: Table,
}

impl Preprocessor for TablePreprocessor {
    fn extends(&self) -> String {
        self.extends.clone()
    }

    fn configure(&self, settings: &mut PreprocessorSettings) -> nnunet_plugin_core::Result<()> {
        overlay(settings, &self.table)
    }
}
