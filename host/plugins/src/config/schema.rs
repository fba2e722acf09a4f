//! JSON Schema of the configuration file, for editors.

use nnunet_plugin_core::schema as component_schema;
use serde_json::{Map, Value};

use super::file::File;

/// Sections whose tables change some of a parent's values.
const PARTIAL: [&str; 3] = ["planners", "preprocessors", "trainers"];

/// JSON Schema of the file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = component_schema::of::<File>();
    for section in PARTIAL {
        let settings = schema.pointer_mut(&format!("/properties/{section}/additionalProperties/properties"));
        settings.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(relax);
    }
    // Their parents' parameters are known when plugins are.
    let trainers = schema.pointer_mut("/properties/trainers/additionalProperties");
    if let Some(trainers) = trainers.and_then(Value::as_object_mut) {
        trainers.remove("additionalProperties");
        trainers.remove("unevaluatedProperties");
    }
    schema
}

/// A table in such a table is laid over the parent's: nothing of it is required, not even the `name` by which its forms
/// are told apart, so that it may fit several. A list takes the parent's place whole, and its elements are complete.
fn relax(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    schema.remove("required");
    if let Some(forms) = schema.remove("oneOf") {
        schema.insert("anyOf".to_owned(), forms);
    }
    schema.get_mut("anyOf").and_then(Value::as_array_mut).into_iter().flatten().for_each(relax);
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(relax);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of all `required` below a value.
    fn required(value: &Value, place: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    if key == "required" {
                        all.push(format!("{place} {value}"));
                    }
                    required(value, &format!("{place}/{key}"), all);
                }
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, value)| required(value, &format!("{place}/{i}"), all));
            }
            _ => {}
        }
    }

    #[test]
    fn a_table_that_changes_a_parents_values_may_leave_out_any() {
        let (schema, mut all) = (schema(), Vec::new());
        for section in PARTIAL {
            required(&schema["properties"][section], section, &mut all);
        }
        let here = "/additionalProperties";
        let parent = |section: &str| format!("{section}{here} [\"extends\"]");
        // Items of lists and components that are named are whole.
        all.retain(|place| !place.contains("[\"name\""));
        assert_eq!(all, [parent("planners"), parent("preprocessors"), parent("trainers")]);
        // What [use] names is whole.
        let mut all = Vec::new();
        required(&schema["properties"]["use"]["properties"]["loss"], "", &mut all);
        assert_eq!(all.len(), 1, "{all:?}");
    }
}
