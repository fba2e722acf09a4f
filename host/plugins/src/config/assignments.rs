//! `key=value` on the command line.

use anyhow::{Context, Result, anyhow};
use nnunet_plugin_core::Config as Table;
use serde_json::Value;

/// A table of assignments such as `max_num_epochs=5`, `optimizer.momentum=0.9` or `loss=TopKLoss`. Values are TOML; what is
/// not is a string.
///
/// # Errors
/// Returns an error for an assignment without `=` or with a key that is not a key of TOML.
pub fn assignments(words: &[String]) -> Result<Table> {
    let mut all = Table::new();
    for word in words {
        let (key, value) =
            word.split_once('=').with_context(|| format!("--set {word}: write --set key=value"))?;
        let quoted = || toml::from_str::<Table>(&format!("{key} = {}", Value::from(value.trim())));
        let table = toml::from_str::<Table>(&format!("{key} = {value}")).or_else(|_| quoted());
        merge(&mut all, table.map_err(|error| anyhow!("--set {word}: {error}"))?);
    }
    Ok(all)
}

fn merge(all: &mut Table, more: Table) {
    for (key, value) in more {
        match (all.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                all.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_toml_or_strings_and_dots_make_tables() {
        let words = ["a=1", "b.c=0.5", "b.d=true", "e=TopKLoss", "f=[1, 2]"].map(str::to_owned);
        let expected = json!({ "a": 1, "b": { "c": 0.5, "d": true }, "e": "TopKLoss", "f": [1, 2] });
        assert_eq!(Value::Object(assignments(&words).unwrap()), expected);
        assert!(assignments(&["a".to_owned()]).unwrap_err().to_string().contains("key=value"));
    }
}
