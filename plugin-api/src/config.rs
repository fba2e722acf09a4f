//! Parameters of a component as the user wrote them.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The parameters of a component: the table that stood beside its name in TOML or JSON.
pub type Config = serde_json::Map<String, serde_json::Value>;

/// Reads a parameter table into the component's own struct.
///
/// Give the struct `#[serde(default, deny_unknown_fields)]`: a missing key then takes its default and a misspelled one
/// is an error that lists the accepted keys.
///
/// # Errors
/// The first key that is unknown or has the wrong type.
pub fn parse_config<T: DeserializeOwned>(config: &Config) -> Result<T> {
    serde_json::from_value(serde_json::Value::Object(config.clone()))
        .map_err(|error| Error::message(error.to_string()))
}
