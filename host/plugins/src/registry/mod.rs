//! The registry: which component a name refers to. One rule of precedence holds for built-ins and plugins alike.

mod entry;
mod make;
mod origin;

use anyhow::{Result, anyhow, bail};
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Component, Config, Factory, Info, Kind};

use crate::section::section;
use nnunet_plugin_core::suggestion::{did_you_mean, similar};

pub use entry::{Entry, Outcome, Preset, Status};
pub use origin::Origin;

/// All known components.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    blocked: Vec<Blocked>,
    /// Plugins that are not used, and why.
    refused: Vec<String>,
}

/// A table of a configuration file whose parent is not registered.
#[derive(Debug)]
struct Blocked {
    kind: Kind,
    name: String,
    why: String,
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
    /// Returns an error if a plugin would shadow a built-in without `allow_override`.
    pub fn register(
        &mut self,
        component: Component,
        plugin: &str,
        origin: Origin,
        allow_override: bool,
    ) -> Result<Outcome> {
        self.consent(std::slice::from_ref(&component.info), &origin, allow_override)?;
        let (kind, name) = (component.info.kind, component.info.name.clone());
        let is_first = !self.entries.iter().any(|entry| entry.is(kind, &name));
        let (plugin, status) = (plugin.to_owned(), Status::Loaded);
        self.entries.push(Entry { component, plugin, origin, status, preset: None, table: None });
        Ok(match self.resolve(kind, &name) {
            Status::BuiltIn | Status::Loaded if is_first => Outcome::Added,
            Status::BuiltIn | Status::Loaded => Outcome::Shadows,
            Status::Shadowed => Outcome::Shadowed,
            Status::Ambiguous => Outcome::Ambiguous,
        })
    }

    /// Sets the status of all components of a name by their precedence. Returns that of the last one registered.
    fn resolve(&mut self, kind: Kind, name: &str) -> Status {
        let named =
            || self.entries.iter().filter(|entry| entry.is(kind, name)).map(|entry| entry.origin.rank());
        let best = named().min();
        let several = named().filter(|rank| Some(*rank) == best).count() > 1;
        let mut last = Status::Loaded;
        for entry in self.entries.iter_mut().filter(|entry| entry.is(kind, name)) {
            entry.status = match Some(entry.origin.rank()) == best {
                false => Status::Shadowed,
                true if several => Status::Ambiguous,
                true if entry.origin == Origin::BuiltIn => Status::BuiltIn,
                true => Status::Loaded,
            };
            last = entry.status;
        }
        last
    }

    /// Registers a name for another component with other parameters.
    ///
    /// # Errors
    /// As [`Registry::register`]; returns an error if the other component is not registered.
    pub fn register_preset(
        &mut self,
        kind: Kind,
        name: &str,
        preset: Preset,
        origin: Origin,
    ) -> Result<Outcome> {
        let component = preset_component(&self.find(kind, &preset.extends)?.component.info, name, &preset);
        let outcome = self.register(component, "config", origin, false)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.preset = Some(preset);
        }
        Ok(outcome)
    }

    /// Records a name that cannot be used, for example because the plugin it needs is missing; using it is an error that says
    /// why.
    pub fn block(&mut self, kind: Kind, name: &str, why: String) {
        self.blocked.push(Blocked { kind, name: name.to_owned(), why });
    }

    /// Records a plugin that is not used; errors about unknown names mention it.
    pub fn note_refused(&mut self, plugin: String) {
        self.refused.push(plugin);
    }

    /// Registers a component that a table describes.
    ///
    /// # Errors
    /// As [`Registry::register`].
    pub fn register_table(&mut self, component: Component, table: Config, origin: Origin) -> Result<Outcome> {
        let outcome = self.register(component, "config", origin, false)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.table = Some(table);
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

    /// Whether a component knows all of these parameters. One that has not said which it takes is asked when it is
    /// made.
    ///
    /// # Errors
    /// Returns an error with the first unknown parameter and a similar known one.
    pub fn check_parameters(&self, kind: Kind, name: &str, parameters: &Config) -> Result<()> {
        let (entry, _) = self.expand(kind, &ComponentChoice::named(name))?;
        let known = entry.component.info.parameters();
        let unknown = parameters.keys().find(|key| !known.iter().any(|known| known.name == **key));
        let Some(key) = unknown.filter(|_| !known.is_empty()) else { return Ok(()) };
        bail!("unknown key `{key}`{}", did_you_mean(key, known.iter().map(|known| known.name.as_str())))
    }

    /// Whether a component can be made with these parameters, as far as this program can make it.
    ///
    /// # Errors
    /// As [`Registry::check_parameters`]; the error of the factory.
    pub fn check_choice(&self, kind: Kind, choice: &ComponentChoice) -> Result<()> {
        let (entry, expanded) = self.expand(kind, choice)?;
        self.check_parameters(kind, &expanded.name, &expanded.parameters)?;
        match &entry.component.factory {
            Factory::Augmentation(make) => drop(make(&expanded.parameters)?),
            Factory::Postprocessor(make) => drop(make(&expanded.parameters)?),
            Factory::Tensors(factory) => drop(factory.create(&expanded.parameters)?),
            _ => {}
        }
        Ok(())
    }

    /// Whether components may be registered: only with `allow_override` may one shadow a built-in.
    ///
    /// # Errors
    /// Returns an error with the component that may not.
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

    /// The component a name means: `Name`, `plugin/Name` or `kind:plugin/Name`.
    ///
    /// # Errors
    /// Returns an error for an unknown name (similar names are suggested) or an ambiguous one.
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
        if let Some(blocked) =
            self.blocked.iter().find(|blocked| blocked.kind == kind && blocked.name == name)
        {
            return anyhow!("{}", blocked.why);
        }
        let known = self.entries.iter().filter(|entry| entry.component.info.kind == kind);
        let near = similar(name, known.map(|entry| &*entry.component.info.name), 3);
        let section = section(kind);
        let near =
            if near.is_empty() { String::new() } else { format!("; similar names: {}", near.join(", ")) };
        anyhow!(
            "there is no {kind} `{name}`{near}. A {kind} may be built in (nnunet plugins list), a table \
             [{section}.{name}] in nnunet.toml, or come from a plugin (--plugin FILE, [plugins] in nnunet.toml, \
             NNUNET_PLUGIN_PATH, the plugins folder of the user){}",
            self.refused.iter().map(|plugin| format!("; not used: {plugin}")).collect::<String>()
        )
    }
}

/// Stands for a preset in the registry: it has its parent's parameters, with other defaults.
fn preset_component(parent: &Info, name: &str, preset: &Preset) -> Component {
    let summary = format!("{} with other parameters", preset.extends);
    let mut info = Info::new(parent.kind, name.to_owned(), summary);
    info.schema.clone_from(&parent.schema);
    info.defaults.clone_from(&parent.defaults);
    info.defaults.extend(preset.changes.clone());
    Component { info, factory: Factory::DescriptionOnly }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &'static str) -> Component {
        Component { info: Info::new(Kind::Planner, name, ""), factory: Factory::DescriptionOnly }
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
    fn a_stronger_third_settles_what_was_ambiguous() {
        let mut registry = Registry::new();
        for plugin in ["p", "q"] {
            registry.register(component("B"), plugin, Origin::PluginPath(plugin.into()), false).unwrap();
        }
        let named = Origin::CommandLine("c.so".into());
        assert_eq!(registry.register(component("B"), "r", named, false).unwrap(), Outcome::Shadows);
        assert_eq!(registry.find(Kind::Planner, "B").unwrap().plugin, "r");
        let statuses: Vec<Status> = registry.entries().iter().map(Entry::status).collect();
        assert_eq!(statuses, [Status::Shadowed, Status::Shadowed, Status::Loaded]);
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
        assert!(error.contains("similar names: ExperimentPlanner3D_v21"), "{error}");
        assert!(error.contains("NNUNET_PLUGIN_PATH"), "{error}");
    }
}
