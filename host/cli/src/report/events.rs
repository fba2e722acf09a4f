//! Lines of `--json`: one object each, with the name of its event and the version of the schema of all events
//! (`docs/events.schema.json`).

use serde_json::{Map, Value};

/// Version of the schema. It grows when a field goes away or changes its meaning; new events and fields leave it as it
/// is.
const SCHEMA: u64 = 1;

/// An event as one line.
pub(super) fn line(event: &str, fields: &Value) -> String {
    let mut all = Map::new();
    all.insert("event".to_owned(), event.into());
    all.insert("schema".to_owned(), SCHEMA.into());
    let fields = fields.as_object().into_iter().flatten();
    fields.for_each(|(name, value)| {
        all.entry(name.clone()).or_insert_with(|| value.clone());
    });
    Value::Object(all).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_with_its_name_first() {
        let text = line("case", &json!({ "name": "a\nb", "dice": 0.5, "mean": f64::NAN, "event": "other" }));
        assert_eq!(text, r#"{"event":"case","schema":1,"name":"a\nb","dice":0.5,"mean":null}"#);
    }
}
