//! The schema of `--json`, as far as it is used in our document: an event's fields, which of them are required, and their
//! types.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::repository;

/// `docs/events.schema.json`.
#[derive(Debug)]
pub struct Schema(Value);

impl Schema {
    /// Reads it.
    ///
    /// # Panics
    /// Panics if it is not there, or no JSON.
    #[must_use]
    pub fn load() -> Self {
        let text = std::fs::read_to_string(repository().join("docs/events.schema.json")).expect("the schema");
        Self(serde_json::from_str(&text).expect("JSON"))
    }

    /// The names of all events.
    ///
    /// # Panics
    /// Panics if there are none.
    #[must_use]
    pub fn events(&self) -> BTreeSet<String> {
        self.0["$defs"].as_object().expect("definitions").keys().cloned().collect()
    }

    /// Checks a line, and returns the name of its event.
    ///
    /// # Panics
    /// Panics if the line is no event of the schema.
    #[must_use]
    pub fn check(&self, text: &str) -> String {
        let line: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let event = line["event"].as_str().unwrap_or_else(|| panic!("no event: {text}"));
        let definition = &self.0["$defs"][event];
        assert!(definition.is_object(), "`{event}` is not in the schema: {text}");
        for field in definition["required"].as_array().expect("a list") {
            assert!(line.get(field.as_str().expect("a name")).is_some(), "{field} is missing: {text}");
        }
        for (field, wanted) in definition["properties"].as_object().expect("properties") {
            let Some(value) = line.get(field) else { continue };
            assert!(wanted.get("const").is_none_or(|only| only == value), "{field}: {text}");
            let types = match &wanted["type"] {
                Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect::<Vec<_>>(),
            };
            assert!(types.is_empty() || types.iter().any(|name| is_of(value, name)), "{field}: {text}");
        }
        event.to_owned()
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the schema has the type {other}"),
    }
}
