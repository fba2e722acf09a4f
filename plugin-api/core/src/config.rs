//! Parameters of a component as the user wrote them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::suggestion::did_you_mean;
use crate::{Error, Result};

/// The parameters of a component: a table of the configuration file or of JSON, without the component's name.
pub type Config = serde_json::Map<String, serde_json::Value>;

/// Reads a parameter table into the component's own struct.
///
/// Give the struct `#[serde(default, deny_unknown_fields)]`: a missing key then takes its default and a misspelled one
/// is an error that lists the accepted keys.
///
/// ```
/// use nnunet_plugin_api::serde::Deserialize;
/// use nnunet_plugin_api::{Config, parse_config, serde_json};
///
/// #[derive(Debug, Deserialize, PartialEq)]
/// #[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
/// struct Settings { k: u32 }
/// impl Default for Settings {
///     fn default() -> Self { Self { k: 10 } }
/// }
///
/// let table = |json| serde_json::from_str::<Config>(json).unwrap();
/// assert_eq!(parse_config::<Settings>(&table("{}")).unwrap(), Settings { k: 10 });
/// assert_eq!(parse_config::<Settings>(&table(r#"{"k": 5}"#)).unwrap(), Settings { k: 5 });
/// assert!(parse_config::<Settings>(&table(r#"{"q": 5}"#)).is_err());
/// ```
///
/// # Errors
/// Returns an error for the first key that is unknown or has a value of the wrong type.
pub fn parse_config<T: DeserializeOwned>(config: &Config) -> Result<T> {
    let parse = |config: &Config| serde_json::from_value::<T>(Value::Object(config.clone()));
    parse(config).map_err(|error| {
        // serde names the key only where it is unknown.
        let is_at_fault = |key: &&String| {
            let rest = config.iter().filter(|(other, _)| other != key);
            parse(&rest.map(|(key, value)| (key.clone(), value.clone())).collect()).is_ok()
        };
        let text = error.to_string();
        match config.keys().find(is_at_fault) {
            Some(key) if !text.contains(key.as_str()) => Error::parameter(key, text),
            _ => Error::message(text),
        }
    })
}

/// Overwrites the fields of `settings` that are keys of `table`. Nested tables are merged, unless the new one has a
/// `name`: another component starts from its own defaults.
///
/// ```
/// use nnunet_plugin_api::vocabulary::Blueprint;
/// use nnunet_plugin_api::{Config, overlay, serde_json};
///
/// let mut blueprint = Blueprint::default();
/// let changes: Config = serde_json::from_str(r#"{"max_num_epochs": 250}"#).unwrap();
/// overlay(&mut blueprint, &changes).unwrap();
/// assert_eq!(blueprint.max_num_epochs, 250);
/// assert_eq!(blueprint.num_batches_per_epoch, 250, "as before");
/// ```
///
/// # Errors
/// Returns an error for an unknown key, with a similar known one if there is one, or for a value of the wrong type.
pub fn overlay<T: Serialize + DeserializeOwned>(settings: &mut T, table: &Config) -> Result<()> {
    let failed = |error: serde_json::Error| Error::message(error.to_string());
    let Value::Object(mut values) = serde_json::to_value(&*settings).map_err(failed)? else {
        return Err(Error::message("settings are not a table"));
    };
    for (key, value) in table {
        let Some(slot) = values.get_mut(key) else { return Err(unknown_key(key, &values)) };
        merge(slot, value);
    }
    *settings = serde_json::from_value(Value::Object(values)).map_err(failed)?;
    Ok(())
}

fn merge(slot: &mut Value, value: &Value) {
    match (slot, value) {
        (Value::Object(old), Value::Object(new)) if !new.contains_key("name") => {
            for (key, value) in new {
                merge(old.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (slot, value) => *slot = value.clone(),
    }
}

fn unknown_key(key: &str, known: &Config) -> Error {
    let hint = did_you_mean(key, known.keys().map(String::as_str));
    Error::message(format!("unknown key `{key}`{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::{Blueprint, Optimizer};

    fn table(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn values_change_and_the_rest_stays() {
        let mut blueprint = Blueprint::default();
        let changes = r#"{"max_num_epochs": 12, "loss": {"name": "DC_and_topk_loss", "k": 10}, "optimizer": {"momentum": 0.9}}"#;
        overlay(&mut blueprint, &table(changes)).unwrap();
        assert_eq!(blueprint.max_num_epochs, 12);
        assert_eq!(blueprint.loss.name, "DC_and_topk_loss");
        assert_eq!(blueprint.optimizer, Optimizer::Sgd { momentum: 0.9, nesterov: true });
        assert_eq!(blueprint.num_batches_per_epoch, 250);
    }

    #[test]
    fn a_misspelled_key_gets_the_nearest_one() {
        let error =
            overlay(&mut Blueprint::default(), &table(r#"{"max_epochs": 1}"#)).unwrap_err().to_string();
        assert_eq!(error, "unknown key `max_epochs`; did you mean `max_num_epochs`?");
    }
}
