//! Keys of trainers' tables: settings of a training, and parameters of the trainers that they extend.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use nnunet_plugin_core::suggestion::did_you_mean;
use nnunet_plugin_core::vocabulary::Blueprint;
use nnunet_plugin_core::{Config as Table, Kind};
use serde_json::Value;

use super::file::File;
use crate::registry::Registry;

/// Whether a key is a setting of a training.
#[must_use]
pub fn is_setting(key: &str) -> bool {
    settings().contains_key(key)
}

fn settings() -> Table {
    match serde_json::to_value(Blueprint::default()) {
        Ok(Value::Object(settings)) => settings,
        _ => Table::new(),
    }
}

/// The names that a table of trainers may use: settings, and parameters of any trainer. Which of these the parents of a
/// trainer have is known when it is resolved.
fn known(registry: &Registry) -> BTreeSet<String> {
    let trainers = registry.entries().iter().map(|entry| &entry.component.info);
    let parameters = trainers.filter(|info| info.kind == Kind::Trainer).flat_map(|info| info.parameters());
    let settings = settings();
    let names = parameters.map(|parameter| parameter.name).chain(settings.into_iter().map(|(key, _)| key));
    names.chain(["extends".to_owned()]).collect()
}

/// Looks for a key that no trainer knows.
pub(super) fn check(file: &File, registry: &Registry) -> Result<()> {
    let known = known(registry);
    for (name, table) in &file.trainers {
        if let Some(key) = table.keys().find(|key| !known.contains(*key)) {
            let hint = did_you_mean(key, known.iter().map(String::as_str));
            bail!("unknown key `trainers.{name}.{key}`{hint}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_parameters_of_trainers_are_known_and_others_get_a_hint() {
        let mut file = File::default();
        let mut set = |key: &str| {
            let table = Table::from_iter([("extends".into(), "B".into()), (key.into(), 3.into())]);
            file.trainers = [("A".to_owned(), table)].into();
            check(&file, &Registry::new()).map_err(|error| error.to_string())
        };
        assert_eq!(set("max_num_epochs"), Ok(()));
        let message = "unknown key `trainers.A.max_epochs`; did you mean `max_num_epochs`?";
        assert_eq!(set("max_epochs"), Err(message.to_owned()));
    }
}
