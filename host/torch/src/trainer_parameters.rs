//! Parameters of trainers: from the command line, and from the tables of their children.

use anyhow::{Result, bail};
use nnunet_engine::config::is_setting;
use nnunet_engine::registry::Entry;
use nnunet_plugin_api::Config;
use nnunet_plugin_api::suggestion::did_you_mean;
use nnunet_plugin_api::vocabulary::Blueprint;

/// Parameters on their way from a trainer to its parents.
pub(crate) struct TrainerParameters {
    /// Those that no trainer has taken yet. The child's word goes before its parents'.
    waiting: Config,
    known: Vec<String>,
}

impl TrainerParameters {
    /// Those of the command line.
    pub(crate) fn new(set: &Config) -> Self {
        let mut parameters = Self { waiting: Config::new(), known: Vec::new() };
        parameters.add(set);
        parameters
    }

    fn add(&mut self, table: &Config) {
        for (key, value) in table.iter().filter(|(key, _)| !is_setting(key)) {
            self.waiting.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }

    /// The parameters of the next trainer, from child to root.
    pub(crate) fn of(&mut self, entry: &Entry) -> Config {
        if let Some(table) = entry.table() {
            self.add(table);
            return Config::new();
        }
        let mut own = Config::new();
        // The root's list of settings is no list of parameters.
        let parameters = entry.component.info.parameters().into_iter();
        for name in parameters.map(|parameter| parameter.name).filter(|name| !is_setting(name)) {
            own.extend(self.waiting.remove_entry(&name));
            self.known.push(name);
        }
        own
    }

    /// After the root.
    ///
    /// # Errors
    /// Returns an error if there is a parameter that no trainer has.
    pub(crate) fn finish(&self, trainer: &str) -> Result<()> {
        let Some(key) = self.waiting.keys().next() else { return Ok(()) };
        let settings = serde_json::to_value(Blueprint::default())?;
        let settings = settings.as_object().into_iter().flat_map(|settings| settings.keys());
        let hint = did_you_mean(key, self.known.iter().chain(settings).map(String::as_str));
        bail!("trainer {trainer} and its parents have no setting or parameter `{key}`{hint}")
    }
}
