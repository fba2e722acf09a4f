//! What a program knows while it runs: the components of the program, of configuration files and of plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_plugin_api::abi::v1::Import;
use nnunet_plugin_api::{Component, Config as Table, Factory, Info, Kind};

use crate::config::{self, Choices, File};
use crate::discovery::{self, Candidate};
use crate::loader;
use crate::plugin::{Description, Plugin, Refused};
use crate::registry::{Outcome, Registry};
use crate::{probe, trust};

/// How a component is made from a table of changes.
pub type FromTable = fn(Info, Table) -> Result<Component>;

/// What a program needs to fill its registry.
#[derive(Debug, Clone, Copy)]
pub struct Kit {
    /// Makes registry entries of plugins' components.
    pub import: Import,
    /// Makes a trainer from a table.
    pub trainer: FromTable,
    /// The program has tensors.
    pub tensors: bool,
}

/// The kit of a program without tensors.
pub const LIGHT: Kit =
    Kit { import: nnunet_plugin_api::abi::v1::import, trainer: described_only, tensors: false };

fn described_only(info: Info, _table: Table) -> Result<Component> {
    Ok(Component { info, factory: Factory::Elsewhere })
}

/// A filled registry and the plugins in it.
#[derive(Debug)]
pub struct World {
    /// All components.
    pub registry: Registry,
    /// Plugins in use.
    pub plugins: Vec<Plugin>,
    /// Plugins that were found and cannot be used.
    pub refused: Vec<Refused>,
    /// The configuration files, the project's first.
    pub files: Vec<File>,
    /// What they choose.
    pub choices: Choices,
}

/// Built-ins, components of configuration files, and plugins, with the one rule of precedence. A plugin named on the
/// command line or in a file must load; one that was merely found is reported when it does not.
///
/// # Errors
/// A configuration file or named plugin that cannot be used.
pub fn world(kit: Kit, named: Option<&Path>, plugin_files: &[PathBuf]) -> Result<World> {
    let files = config::files(named)?;
    let (candidates, refused) = discovery::candidates(&files, plugin_files)?;
    let choices = config::choices(&files);
    let mut world = World { registry: crate::built_in()?, plugins: Vec::new(), refused, files, choices };
    for candidate in candidates {
        match admit(&candidate, kit, &mut world.registry) {
            Ok(plugin) => world.plugins.push(plugin),
            Err((_, error)) if candidate.is_named() => {
                return Err(error.context(format!("plugin {}", candidate.path.display())));
            }
            Err((status, error)) => world.refused.push(Refused { path: candidate.path, status, error }),
        }
    }
    for refused in &world.refused {
        tracing::warn!("plugin {} is not used: {:#}", refused.path.display(), refused.error);
    }
    for file in &world.files {
        config::register(kit, file, &mut world.registry).with_context(|| file.path.display().to_string())?;
    }
    Ok(world)
}

impl World {
    /// Loggers that configuration files ask for, with their parameters; the project's file goes first.
    #[must_use]
    pub fn loggers(&self) -> BTreeMap<&str, &Table> {
        let all = self.files.iter().rev().flat_map(|file| &file.loggers);
        all.map(|(name, table)| (name.as_str(), table)).collect()
    }

    /// The plugin of a name.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.about.name == name)
    }
}

/// A reason to refuse a file, with the word for the list.
type Refusal = (&'static str, anyhow::Error);

/// Checks a file, loads it and registers its components. Nothing of the file runs in this process before its place,
/// its hash, a child's verdict and its version have been looked at.
fn admit(candidate: &Candidate, kit: Kit, registry: &mut Registry) -> Result<Plugin, Refusal> {
    let broken = |error| ("broken", error);
    let path = trust::private(&candidate.path).map_err(broken)?;
    let sha256 = trust::sha256(&path).map_err(broken)?;
    candidate.pin.check_hash(&sha256).map_err(broken)?;
    let about = probe::verdict(&path, &sha256).map_err(broken)?.usable()?;
    candidate.pin.check_version(&about.version).map_err(broken)?;
    registry.consent(&about.components, &candidate.origin, candidate.allow_override).map_err(broken)?;
    let components = components(&path, &about, kit).map_err(broken)?;
    register(components, &about, candidate, registry).map_err(broken)?;
    Ok(Plugin { about, path: candidate.path.clone(), sha256 })
}

/// A plugin of which this program can use nothing is known by its description and not loaded.
fn components(path: &Path, about: &Description, kit: Kit) -> Result<Vec<Component>> {
    let usable = |info: &Info| kit.tensors || !info.kind.needs_tensors();
    if about.components.iter().any(usable) {
        return Ok(loader::load(path, kit.import)?.1);
    }
    about.components.iter().map(|info| described_only(info.clone(), Table::new())).collect()
}

fn register(
    components: Vec<Component>,
    about: &Description,
    candidate: &Candidate,
    registry: &mut Registry,
) -> Result<()> {
    let mut hidden: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for component in components {
        let (kind, name) = (component.info.kind, component.info.name.to_string());
        let outcome =
            registry.register(component, &about.name, candidate.origin.clone(), candidate.allow_override)?;
        match outcome {
            Outcome::Shadows => tracing::warn!(
                "{kind} {name} is now that of plugin {} ({}), not the program's",
                about.name,
                candidate.origin
            ),
            Outcome::Shadowed => hidden.entry(kind).or_default().push(name),
            Outcome::Added | Outcome::Ambiguous => {}
        }
    }
    for (kind, names) in hidden {
        tracing::warn!(
            "{kind} {} of plugin {} ({}) is hidden by one of higher precedence",
            names.join(", "),
            about.name,
            candidate.origin
        );
    }
    Ok(())
}
