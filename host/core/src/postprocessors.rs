//! Postprocessors by name: components, or tables in `nnunet.toml` that give parameters to one.

use anyhow::{Result, ensure};
use nnunet_plugin_api::{Config, Kind, Postprocessor};

use crate::config::{self, World};
use crate::registry::{Entry, Origin};

impl World {
    /// Makes the postprocessor of a name. Parameters given here win over those of `[postprocessors.NAME]`, and those over
    /// its parent's.
    ///
    /// # Errors
    /// An unknown name, a table that extends itself, or parameters that do not fit.
    pub fn postprocessor(&self, name: &str, parameters: &Config) -> Result<Box<dyn Postprocessor>> {
        let (mut name, mut parameters) = (name.to_owned(), parameters.clone());
        let mut seen: Vec<String> = Vec::new();
        loop {
            let entry = self.registry.find(Kind::Postprocessor, &name)?;
            let Some(table) = self.table(entry) else {
                return self.registry.postprocessor(&name, &parameters);
            };
            ensure!(
                !seen.contains(&name),
                "postprocessor {name} extends itself: {} -> {name}",
                seen.join(" -> ")
            );
            for (key, value) in config::without_extends(table) {
                parameters.entry(key).or_insert(value);
            }
            let parent = config::extends(Kind::Postprocessor, &name, table)?;
            seen.push(std::mem::replace(&mut name, parent));
        }
    }

    /// The table an entry stands for.
    fn table(&self, entry: &Entry) -> Option<&Config> {
        let (Origin::Config(path) | Origin::UserConfig(path)) = &entry.origin else { return None };
        let file = self.files.iter().find(|file| file.path == *path)?;
        file.postprocessors.get(&*entry.component.info.name)
    }
}
