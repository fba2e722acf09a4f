//! A session: the components and plugins a program works with, and the configuration they come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Component, Config as Table, Info, Kind};

use crate::component_set::{ComponentSet, description_only};
use crate::components;
use crate::config::{self, Choices, File};
use crate::discovery::{self, Candidate};
use crate::loader;
use crate::plugin::{Description, Plugin, RejectedPlugin};
use crate::probe;
use crate::registry::{Outcome, Registry};
use crate::trust::OpenFile;

/// The components and plugins a program works with.
#[derive(Debug)]
pub struct Session {
    /// All components.
    pub registry: Arc<Registry>,
    /// Plugins in use.
    pub plugins: Vec<Plugin>,
    /// Plugins that were found but cannot be used.
    pub rejected: Vec<RejectedPlugin>,
    /// The configuration files, the project's first.
    pub files: Vec<File>,
    /// The `[use]` settings of these files.
    pub choices: Choices,
}

impl Session {
    /// Registers the built-in components, those of configuration files and those of plugins. `config` is a configuration
    /// file to use instead of the project's, `plugins` are plugin files named by the user, which must load. Another plugin
    /// that does not load causes a warning, and an error of the commands that use its components; but one that is listed in
    /// a configuration file and is not the one that was pinned there, or that may replace built-in components, is an error
    /// of every command.
    ///
    /// # Errors
    /// Returns an error if a configuration file is invalid, or if a plugin that must load cannot be used.
    pub fn open(set: ComponentSet, config: Option<&Path>, plugins: &[PathBuf]) -> Result<Self> {
        let files = config::files(config)?;
        let (candidates, mut rejected) = discovery::candidates(&files, plugins)?;
        let (mut registry, mut plugins) = (crate::built_in()?, Vec::new());
        for candidate in candidates {
            match admit(&candidate, set, &mut registry) {
                Ok(plugin) => plugins.push(plugin),
                Err((status, error)) if candidate.must_load() || status == NOT_AS_PINNED => {
                    return Err(error.context(format!("plugin {}", candidate.path.display())));
                }
                Err((status, error)) => {
                    rejected.push(RejectedPlugin { path: candidate.path, status, error });
                }
            }
        }
        for RejectedPlugin { path, error, .. } in &rejected {
            tracing::warn!("plugin {} is not used: {error:#}", path.display());
            registry.note_refused(format!("{} ({error:#})", path.display()));
        }
        for file in &files {
            config::register(set, file, &mut registry).with_context(|| file.path.display().to_string())?;
        }
        let registry = Arc::new(registry);
        components::offer(&registry);
        let choices = config::choices(&files);
        let session = Self { registry, plugins, rejected, files, choices };
        session.check_choices()?;
        Ok(session)
    }

    /// Checks the parameters in `[use]` at the start of every command: a wrong parameter of a postprocessor is found before
    /// a training, and not when its model predicts. An unknown name is an error of the commands that use it.
    fn check_choices(&self) -> Result<()> {
        for file in &self.files {
            for (kind, choice) in file.choices.with_parameters() {
                let is_known = |choice: &&ComponentChoice| self.registry.find(kind, &choice.name).is_ok();
                if let Some(choice) = choice.filter(|choice| !choice.parameters.is_empty()).filter(is_known) {
                    let place = || format!("{}: [use] {kind} = {:?}", file.path.display(), choice.name);
                    self.registry.check_choice(kind, choice).with_context(place)?;
                }
            }
        }
        Ok(())
    }

    /// The loggers that configuration files enable, with their parameters. The project's file has precedence.
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

/// Status of a plugin that is not the one that was pinned.
const NOT_AS_PINNED: &str = "not as pinned";

/// Why a file is rejected: its status for `plugins list`, and the error.
type Rejection = (&'static str, anyhow::Error);

/// Checks a file, loads it and registers its components. No code of the file runs in this process before its location,
/// its hash, the result of loading it in a child process, and its version have been checked.
fn admit(candidate: &Candidate, set: ComponentSet, registry: &mut Registry) -> Result<Plugin, Rejection> {
    let broken = |error| ("broken", error);
    let absent = if candidate.path.exists() { "broken" } else { "missing" };
    let not_as_pinned = |error| (NOT_AS_PINNED, error);
    let open = OpenFile::new(&candidate.path).map_err(|error| (absent, error))?;
    candidate.pin.check_hash(&open.sha256).map_err(not_as_pinned)?;
    let about = probe::probe(&open).map_err(broken)?.usable()?;
    candidate.pin.check_version(&about.version).map_err(not_as_pinned)?;
    registry.consent(&about.components, &candidate.origin, candidate.allow_override).map_err(broken)?;
    let sha256 = open.sha256.clone();
    let components = components(open, &about, set).map_err(broken)?;
    register(components, &about, candidate, registry).map_err(broken)?;
    Ok(Plugin { about, path: candidate.path.clone(), sha256 })
}

/// The components of a plugin. A plugin with no component that this program can make is not loaded; its components are
/// registered by their descriptions.
fn components(open: OpenFile, about: &Description, set: ComponentSet) -> Result<Vec<Component>> {
    let usable = |info: &Info| set.tensors || !info.kind.needs_tensors();
    if about.components.iter().any(usable) {
        return Ok(loader::load(open, set.import)?.1);
    }
    about.components.iter().map(|info| description_only(info.clone(), Table::new())).collect()
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
                "{kind} {name} of plugin {} ({}) replaces another of that name",
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
