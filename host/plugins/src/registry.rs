//! The registry: which component a name means. One rule of precedence, for built-ins and plugins alike.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{
    Component, Config, ExperimentLogger, Factory, ImageFormat, Info, Kind, Normalization, Planner,
    Postprocessor, Preprocessor,
};
use serde::Serialize;

/// Where a component comes from. The order is the order of precedence: earlier ones win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Named with `--plugin`.
    CommandLine(PathBuf),
    /// Listed in `[plugins]` of `nnunet.toml`.
    Project(PathBuf),
    /// Written in `nnunet.toml` as a table.
    Config(PathBuf),
    /// Found through `NNUNET_PLUGIN_PATH`.
    PluginPath(PathBuf),
    /// Listed in `[plugins]` of the user's own configuration file.
    UserListed(PathBuf),
    /// Written in the user's own configuration file as a table.
    UserConfig(PathBuf),
    /// Found in the user's data folder.
    User(PathBuf),
    /// Part of the program.
    BuiltIn,
}

impl Origin {
    /// The shared library, for components of plugins.
    #[must_use]
    pub fn library(&self) -> Option<&Path> {
        match self {
            Origin::CommandLine(path)
            | Origin::Project(path)
            | Origin::PluginPath(path)
            | Origin::UserListed(path)
            | Origin::User(path) => Some(path),
            Origin::Config(_) | Origin::UserConfig(_) | Origin::BuiltIn => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.pad("built-in"),
            Origin::CommandLine(path)
            | Origin::Project(path)
            | Origin::PluginPath(path)
            | Origin::UserListed(path)
            | Origin::User(path)
            | Origin::UserConfig(path)
            | Origin::Config(path) => f.pad(&path.display().to_string()),
        }
    }
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The name was free.
    Added,
    /// A built-in of this name is shadowed by it, with the user's consent.
    Shadows,
    /// A component of this name with higher precedence is there already.
    Shadowed,
    /// Another plugin of the same rank has the name: using the bare name is an error from now on.
    Ambiguous,
}

/// One known component.
#[derive(Debug)]
pub struct Entry {
    /// Description and factory.
    pub component: Component,
    /// Plugin it belongs to; empty for built-ins.
    pub plugin: String,
    /// Where it comes from.
    pub origin: Origin,
    status: Status,
    preset: Option<Preset>,
}

/// A name for another component with other parameters.
#[derive(Debug, Clone)]
pub struct Preset {
    /// The component.
    pub extends: String,
    /// Parameters that differ from its defaults.
    pub changes: Config,
}

/// State of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Part of the program, in use.
    BuiltIn,
    /// From a plugin or a config file, in use.
    Loaded,
    /// Hidden behind another component of the same name.
    Shadowed,
    /// Shares its name with another plugin's.
    Ambiguous,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::BuiltIn => "built-in",
            Status::Loaded => "loaded",
            Status::Shadowed => "shadowed",
            Status::Ambiguous => "ambiguous",
        })
    }
}

macro_rules! made {
    ($registry:expr, $kind:ident, $name:expr, $config:expr) => {
        match &$registry.find(Kind::$kind, $name)?.component.factory {
            Factory::$kind(make) => Ok(make($config)?),
            _ => Err($registry.unknown(Kind::$kind, $name)),
        }
    };
}

/// All known components.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All entries, in order of registration.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Registers a component. Whoever has precedence keeps the bare name; two plugins of equal rank make it ambiguous;
    /// `plugin/Name` always finds its plugin's.
    ///
    /// # Errors
    /// A plugin that shadows a built-in without `allow_override`.
    pub fn register(
        &mut self,
        component: Component,
        plugin: &str,
        origin: Origin,
        allow_override: bool,
    ) -> Result<Outcome> {
        self.consent(std::slice::from_ref(&component.info), &origin, allow_override)?;
        let Info { kind, name, .. } = &component.info;
        let rivals: Vec<usize> =
            (0..self.entries.len()).filter(|i| self.entries[*i].is(*kind, name)).collect();
        let (outcome, status) = match rivals.iter().copied().rfind(|i| self.entries[*i].in_use()) {
            None => {
                (Outcome::Added, if origin == Origin::BuiltIn { Status::BuiltIn } else { Status::Loaded })
            }
            Some(rival) => self.contest(rival, &origin),
        };
        self.entries.push(Entry { component, plugin: plugin.to_owned(), origin, status, preset: None });
        Ok(outcome)
    }

    /// Registers a name for another component with other parameters.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn register_preset(
        &mut self,
        kind: Kind,
        name: &str,
        preset: Preset,
        origin: Origin,
    ) -> Result<Outcome> {
        let component = crate::config::preset_component(kind, name, &preset.extends);
        let outcome = self.register(component, "config", origin, false)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.preset = Some(preset);
        }
        Ok(outcome)
    }

    /// What a name and parameters stand for: a component that can be made, and all parameters it is given.
    ///
    /// # Errors
    /// As [`Registry::find`].
    pub fn expand(&self, kind: Kind, choice: &ComponentChoice) -> Result<(&Entry, ComponentChoice)> {
        let entry = self.find(kind, &choice.name)?;
        let Some(preset) = &entry.preset else { return Ok((entry, choice.clone())) };
        let mut parameters = preset.changes.clone();
        parameters.extend(choice.parameters.clone());
        self.expand(kind, &ComponentChoice { name: preset.extends.clone(), parameters })
    }

    /// Whether a component knows all of these parameters. One that has not said which it takes is asked when it is made.
    ///
    /// # Errors
    /// The first unknown one, with the nearest known.
    pub fn check_parameters(&self, kind: Kind, name: &str, parameters: &Config) -> Result<()> {
        let (entry, _) = self.expand(kind, &ComponentChoice::named(name))?;
        let known = entry.component.info.parameters();
        let unknown = parameters.keys().find(|key| !known.iter().any(|known| known.name == **key));
        let Some(key) = unknown.filter(|_| !known.is_empty()) else { return Ok(()) };
        let near = known.iter().map(|known| (strsim::jaro_winkler(&known.name, key), &known.name));
        let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).map_or("", |(_, name)| name.as_str());
        bail!("unknown key `{key}`; did you mean `{near}`?")
    }

    /// Whether components may be registered: only with `allow_override` may one shadow a built-in.
    ///
    /// # Errors
    /// The component that may not.
    pub fn consent(&self, infos: &[Info], origin: &Origin, allow_override: bool) -> Result<()> {
        let built_in = |info: &&Info| {
            self.entries.iter().any(|e| e.origin == Origin::BuiltIn && e.is(info.kind, &info.name))
        };
        match infos.iter().find(built_in) {
            Some(Info { kind, name, .. }) if !allow_override && *origin != Origin::BuiltIn => bail!(
                "{kind} `{name}` of {origin} would shadow the built-in of that name; rename it, or set \
                 allow-override = true for the plugin in nnunet.toml"
            ),
            _ => Ok(()),
        }
    }

    fn contest(&mut self, rival: usize, origin: &Origin) -> (Outcome, Status) {
        let rival = &mut self.entries[rival];
        if rival.origin.rank() == origin.rank() {
            rival.status = Status::Ambiguous;
            (Outcome::Ambiguous, Status::Ambiguous)
        } else if origin.rank() < rival.origin.rank() {
            rival.status = Status::Shadowed;
            (Outcome::Shadows, Status::Loaded)
        } else {
            (Outcome::Shadowed, Status::Shadowed)
        }
    }

    /// The component a name means: `Name`, `plugin/Name` or `kind:plugin/Name`.
    ///
    /// # Errors
    /// An unknown name (the nearest ones are offered) or an ambiguous one.
    pub fn find(&self, kind: Kind, name: &str) -> Result<&Entry> {
        let path = name.strip_prefix(&format!("{kind}:")).unwrap_or(name);
        if let Some((plugin, bare)) = path.split_once('/') {
            let found = self.entries.iter().find(|entry| entry.is(kind, bare) && entry.plugin == plugin);
            return found.ok_or_else(|| self.unknown(kind, name));
        }
        let named: Vec<&Entry> = self.entries.iter().filter(|entry| entry.is(kind, path)).collect();
        if let Some(entry) = named.iter().find(|e| matches!(e.status, Status::BuiltIn | Status::Loaded)) {
            return Ok(entry);
        }
        let ambiguous: Vec<String> =
            named.iter().map(|entry| format!("{}/{path} ({})", entry.plugin, entry.origin)).collect();
        if ambiguous.is_empty() {
            return Err(self.unknown(kind, name));
        }
        Err(anyhow!("{kind} `{path}` is offered by several plugins: write one of {}", ambiguous.join(", ")))
    }

    fn unknown(&self, kind: Kind, name: &str) -> anyhow::Error {
        let mut known: Vec<(f64, &str)> = self
            .entries
            .iter()
            .filter(|entry| entry.component.info.kind == kind)
            .map(|entry| {
                (strsim::jaro_winkler(&entry.component.info.name, name), &*entry.component.info.name)
            })
            .collect();
        known.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near: Vec<&str> = known.iter().take(3).map(|(_, name)| *name).collect();
        let section = crate::config::section(kind);
        let near =
            if near.is_empty() { String::new() } else { format!("; nearest names: {}", near.join(", ")) };
        anyhow!(
            "there is no {kind} `{name}`{near}. A {kind} may be built in (nnunet plugins list), a table \
             [{section}.{name}] in nnunet.toml, or come from a plugin (--plugin FILE, [plugins] in nnunet.toml, \
             NNUNET_PLUGIN_PATH, the plugins folder of the user)"
        )
    }

    /// Makes a planner.
    ///
    /// # Errors
    /// As [`Registry::find`]; what the factory returns.
    pub fn planner(&self, name: &str) -> Result<Box<dyn Planner>> {
        made!(self, Planner, name, &Config::new())
    }

    /// Makes a preprocessor.
    ///
    /// # Errors
    /// As [`Registry::find`]; what the factory returns.
    pub fn preprocessor(&self, name: &str) -> Result<Box<dyn Preprocessor>> {
        made!(self, Preprocessor, name, &Config::new())
    }

    /// Makes a normalisation.
    ///
    /// # Errors
    /// As [`Registry::find`]; what the factory returns.
    pub fn normalization(&self, name: &str) -> Result<Box<dyn Normalization>> {
        made!(self, Normalization, name, &Config::new())
    }

    /// Makes an image format.
    ///
    /// # Errors
    /// As [`Registry::find`]; what the factory returns.
    pub fn format(&self, name: &str) -> Result<Box<dyn ImageFormat>> {
        made!(self, Format, name, &Config::new())
    }

    /// Makes an experiment logger.
    ///
    /// # Errors
    /// As [`Registry::find`]; what the factory returns.
    pub fn logger(&self, name: &str, config: &Config) -> Result<Box<dyn ExperimentLogger>> {
        made!(self, Logger, name, config)
    }

    /// Makes a postprocessor.
    ///
    /// # Errors
    /// As [`Registry::find`]; what the factory returns.
    pub fn postprocessor(&self, choice: &ComponentChoice) -> Result<Box<dyn Postprocessor>> {
        let (_, choice) = self.expand(Kind::Postprocessor, choice)?;
        made!(self, Postprocessor, &choice.name, &choice.parameters)
    }
}

impl Origin {
    /// Its rank in the order of precedence: the component of the lower rank is used.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Origin::CommandLine(_) => 0,
            Origin::Config(_) | Origin::Project(_) => 1,
            Origin::PluginPath(_) => 2,
            Origin::UserConfig(_) | Origin::UserListed(_) => 3,
            Origin::User(_) => 4,
            Origin::BuiltIn => 5,
        }
    }
}

impl Entry {
    fn is(&self, kind: Kind, name: &str) -> bool {
        self.component.info.kind == kind && self.component.info.name == name
    }

    fn in_use(&self) -> bool {
        self.status != Status::Shadowed
    }

    /// Its state.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &'static str) -> Component {
        Component { info: Info::new(Kind::Planner, name, ""), factory: Factory::Elsewhere }
    }

    #[test]
    fn precedence_is_one_rule() {
        let mut registry = Registry::new();
        let user = || Origin::User("u.so".into());
        assert_eq!(registry.register(component("A"), "", Origin::BuiltIn, false).unwrap(), Outcome::Added);
        assert!(
            registry.register(component("A"), "p", user(), false).unwrap_err().to_string().contains("shadow")
        );
        assert_eq!(registry.register(component("A"), "p", user(), true).unwrap(), Outcome::Shadows);
        assert_eq!(registry.find(Kind::Planner, "A").unwrap().plugin, "p");
        assert_eq!(
            registry.register(component("A"), "q", Origin::CommandLine("c.so".into()), true).unwrap(),
            Outcome::Shadows
        );
        assert_eq!(
            registry.register(component("A"), "r", Origin::PluginPath("d.so".into()), true).unwrap(),
            Outcome::Shadowed
        );
        assert_eq!(registry.find(Kind::Planner, "A").unwrap().plugin, "q");
        assert_eq!(registry.find(Kind::Planner, "planner:p/A").unwrap().plugin, "p");
    }

    #[test]
    fn two_plugins_of_one_rank_need_the_full_name() {
        let mut registry = Registry::new();
        for plugin in ["p", "q"] {
            registry.register(component("B"), plugin, Origin::PluginPath(plugin.into()), false).unwrap();
        }
        let error = registry.find(Kind::Planner, "B").unwrap_err().to_string();
        assert!(error.contains("p/B (p)") && error.contains("q/B (q)"), "{error}");
        assert_eq!(registry.find(Kind::Planner, "q/B").unwrap().plugin, "q");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_ones_and_the_places() {
        let mut registry = Registry::new();
        registry.register(component("ExperimentPlanner3D_v21"), "", Origin::BuiltIn, false).unwrap();
        let error = registry.find(Kind::Planner, "ExperimentPlaner3D").unwrap_err().to_string();
        assert!(error.contains("nearest names: ExperimentPlanner3D_v21"), "{error}");
        assert!(error.contains("NNUNET_PLUGIN_PATH"), "{error}");
    }
}
