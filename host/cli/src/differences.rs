//! Values side by side: what differs between two plans, or two trainers.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::report;

/// One entry a value, by its path; lists of numbers stay together.
///
/// # Errors
/// Returns an error for values that JSON cannot represent.
pub fn flatten(values: &impl Serialize) -> Result<BTreeMap<String, String>> {
    let mut lines = BTreeMap::new();
    add("", &serde_json::to_value(values)?, &mut lines);
    Ok(lines)
}

fn add(path: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, value)| add(&below(key), value, lines)),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(i, value)| add(&below(&i.to_string()), value, lines));
        }
        value => {
            lines.insert(path.to_owned(), value.to_string());
        }
    }
}

/// Prints the values in which `a` and `b` differ, one a line.
///
/// # Errors
/// Returns an error for values that JSON cannot represent.
pub fn print(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Result<()> {
    let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
    let differing: BTreeMap<&String, [Option<&String>; 2]> =
        keys.map(|key| (key, [a.get(key), b.get(key)])).filter(|(_, [a, b])| a != b).collect();
    let value = |side: Option<&String>| side.map(|text| serde_json::from_str::<Value>(text)).transpose();
    for (key, sides) in &differing {
        let [a, b] = sides.map(|side| side.map_or("-", String::as_str));
        let fields = json!({ "key": key, "a": value(sides[0])?, "b": value(sides[1])? });
        report::record("difference", &fields, &format!("{key}: {a} -> {b}"));
    }
    if differing.is_empty() {
        report::line("no values differ");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_path() {
        let value = serde_json::json!({ "a": [{ "b": [1, 2] }, { "b": [3] }], "c": null });
        let lines: Vec<_> = flatten(&value).unwrap().into_iter().collect();
        let wanted = [("a.0.b", "[1,2]"), ("a.1.b", "[3]"), ("c", "null")];
        assert_eq!(lines, wanted.map(|(path, value)| (path.to_owned(), value.to_owned())));
    }
}
