//! Keys of a table against a JSON Schema.

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use nnunet_plugin_core::suggestion::did_you_mean;

/// Looks for a key the schema does not know. Places where several forms are accepted are left to their reader.
///
/// # Errors
/// Returns an error with the key, its location and a similar known key.
pub(super) fn check(value: &Value, schema: &Value, place: &str) -> Result<()> {
    let (Some(table), Some(known)) = (value.as_object(), known(schema)) else { return Ok(()) };
    for (key, value) in table {
        let at = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        match (known.properties.and_then(|all| all.get(key)), known.others) {
            (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => check(value, schema, &at)?,
            (None, Some(Value::Bool(false))) => bail!("unknown key `{at}`{}", hint(key, known.properties)),
            _ => {}
        }
    }
    Ok(())
}

struct KnownKeys<'a> {
    properties: Option<&'a Map<String, Value>>,
    others: Option<&'a Value>,
}

fn known(schema: &Value) -> Option<KnownKeys<'_>> {
    let schema = schema.as_object()?;
    let others = schema.get("additionalProperties").or_else(|| schema.get("unevaluatedProperties"));
    Some(KnownKeys { properties: schema.get("properties").and_then(Value::as_object), others })
}

fn hint(key: &str, known: Option<&Map<String, Value>>) -> String {
    did_you_mean(key, known.into_iter().flat_map(Map::keys).map(String::as_str))
}
