//! Every value of the configuration with the place it comes from.

use std::path::Path;

use anyhow::Result;
use nnunet_data::folders::VARIABLES;
use nnunet_engine::config::{File, Scope};
use nnunet_engine::inline_toml;
use serde_json::Value;

use crate::defaults::{PLANNER_2D, PLANNER_3D, PLANS, TRAINER};

/// One value in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its key, `use.trainer`.
    pub key: String,
    /// Its value, as TOML.
    pub value: String,
    /// Flag, environment variable, file or default.
    pub origin: String,
}

/// A value of a row, parsed; its text where it is no TOML.
pub(crate) fn parsed(value: &str) -> Value {
    let table = toml::from_str::<Value>(&format!("value = {value}"));
    table.ok().and_then(|mut table| Some(table.get_mut("value")?.take())).unwrap_or_else(|| value.into())
}

/// Defaults of `[use]`.
const DEFAULTS: [(&str, &str); 4] =
    [("planner", PLANNER_3D), ("planner_2d", PLANNER_2D), ("plans", PLANS), ("trainer", TRAINER)];

/// All values in effect. `named` is the file named with `--config`, `plugins` are those named with `--plugin`.
///
/// # Errors
/// Returns an error for a file that cannot be read.
pub(crate) fn rows(files: &[File], named: Option<&Path>, plugins: &[impl AsRef<Path>]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let flag = |key: &str, value: &Path, flag: &str| Row {
        key: key.to_owned(),
        value: format!("{:?}", value.display().to_string()),
        origin: format!("flag {flag}"),
    };
    rows.extend(named.map(|path| flag("config", path, "--config")));
    rows.extend(plugins.iter().map(|path| flag("plugin", path.as_ref(), "--plugin")));
    for (key, variable) in
        VARIABLES.iter().map(|(key, variable)| (format!("folders.{key}"), *variable)).chain(environment())
    {
        if let Ok(value) = std::env::var(variable)
            && !value.is_empty()
        {
            rows.push(Row { key, value: format!("{value:?}"), origin: format!("environment {variable}") });
        }
    }
    for file in files {
        let whose = if file.scope == Scope::Project { "project" } else { "user" };
        let table: Value = toml::from_str(&std::fs::read_to_string(&file.path)?)?;
        let origin = format!("{whose} file {}", file.path.display());
        flatten("", &table, &mut |key, value| {
            // A place of higher precedence has spoken already.
            if !rows.iter().any(|row: &Row| row.key == key) {
                rows.push(Row { key: key.to_owned(), value, origin: origin.clone() });
            }
        });
    }
    for (key, value) in DEFAULTS.map(|(key, value)| (format!("use.{key}"), value)) {
        if !rows.iter().any(|row| row.key == key) {
            rows.push(Row { key, value: format!("{value:?}"), origin: "default".to_owned() });
        }
    }
    Ok(rows)
}

fn environment() -> [(String, &'static str); 2] {
    [("config".to_owned(), "NNUNET_CONFIG"), ("plugin_path".to_owned(), "NNUNET_PLUGIN_PATH")]
}

/// Calls `each` for every value. A table with a `name` is one value; other tables are searched.
fn flatten(place: &str, value: &Value, each: &mut impl FnMut(&str, String)) {
    match value {
        Value::Object(table) if !table.contains_key("name") => {
            for (key, value) in table {
                let at = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                flatten(&at, value, each);
            }
        }
        value => each(place, inline_toml(value)),
    }
}
