//! Parameters of a component: as a JSON Schema for editors, and as rows of a table.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;

use crate::Config;

/// A parameter of a component, described in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Parameter {
    /// Name as written in the configuration.
    pub name: String,
    /// Type: `integer`, `number`, `boolean`, `string`, `list of numbers`, `table`; with `or none` where it may be
    /// absent.
    pub kind: String,
    /// Accepted values; empty if every value of the type is accepted.
    pub range: String,
    /// Default value.
    pub default: Value,
    /// Description.
    pub doc: String,
}

/// The JSON Schema of a parameter struct, with all subschemas inlined.
///
/// ```
/// use nnunet_plugin_api::{PlannerSettings, schema};
///
/// let schema = schema::of::<PlannerSettings>();
/// assert!(schema["properties"]["base_num_features"]["description"].is_string());
/// ```
#[must_use]
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Rows of all parameters of a schema; a parameter that only the defaults list has a row without description.
pub(crate) fn parameters(schema: &Value, defaults: &Config) -> Vec<Parameter> {
    let described = schema.get("properties").and_then(Value::as_object);
    let mut rows: Vec<Parameter> = described
        .into_iter()
        .flatten()
        .map(|(name, schema)| row(name, schema, defaults.get(name).unwrap_or(&Value::Null)))
        .collect();
    let missing =
        defaults.iter().filter(|(name, _)| described.is_none_or(|known| !known.contains_key(*name)));
    rows.extend(missing.map(|(name, value)| row(name, &Value::Null, value)));
    rows
}

fn row(name: &str, schema: &Value, default: &Value) -> Parameter {
    let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let kind = if schema.is_null() { kind_of(default).to_owned() } else { kind(schema) };
    Parameter {
        name: name.to_owned(),
        kind,
        range: range(schema),
        default: default.clone(),
        doc: doc.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// The type of a schema in words.
fn kind(schema: &Value) -> String {
    let words: Vec<String> = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().map(|kind| plain(kind, schema)).collect(),
        Some(kind) => vec![plain(kind, schema)],
        None => alternatives(schema).map(kind).collect(),
    };
    let mut distinct: Vec<String> = Vec::new();
    for word in words.iter().flat_map(|words| words.split(" or ")) {
        if !distinct.iter().any(|other| other == word) {
            distinct.push(word.to_owned());
        }
    }
    distinct.sort_by_key(|word| word == "none");
    if distinct.is_empty() { "any".to_owned() } else { distinct.join(" or ") }
}

fn plain(kind: &Value, schema: &Value) -> String {
    match kind.as_str().unwrap_or_default() {
        "array" => match schema.get("items").map(self::kind) {
            Some(item) if item != "any" => format!("list of {}", plural(&item)),
            _ => "list".to_owned(),
        },
        "object" => "table".to_owned(),
        "null" => "none".to_owned(),
        other => other.to_owned(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "any",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "table",
    }
}

/// The schemas of `anyOf` and `oneOf`.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// Bounds and words of a schema.
fn range(schema: &Value) -> String {
    let mut parts: Vec<String> = words(schema);
    let bounds = [("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")];
    let schemas = std::iter::once(schema).chain(alternatives(schema)).collect::<Vec<_>>();
    for (key, sign) in bounds {
        let bound = schemas.iter().find_map(|schema| schema.get(key));
        parts.extend(
            bound.filter(|bound| bound.as_i64() != Some(0) || sign != ">=").map(|b| format!("{sign} {b}")),
        );
    }
    parts.join(", ")
}

/// The values of an enumeration, and the `name`s of tables that are distinguished by their name.
fn words(schema: &Value) -> Vec<String> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let fixed = schema.get("const").into_iter();
    let named = schema.pointer("/properties/name/const").into_iter();
    let own = listed.chain(fixed).chain(named).filter_map(Value::as_str).map(|word| format!("`{word}`"));
    own.chain(alternatives(schema).flat_map(words)).collect()
}

/// Several of a kind: `lists of integers`, `integers or lists of integers`.
fn plural(kind: &str) -> String {
    let each = kind.split(" or ").map(|one| match one.strip_prefix("list") {
        Some(rest) => format!("lists{rest}"),
        None => format!("{one}s"),
    });
    each.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Blueprint;
    use crate::{Info, Kind, PlannerSettings};

    fn rows<T: JsonSchema + Serialize + Default>() -> Vec<Parameter> {
        Info::new(Kind::Trainer, "T", "").with_config::<T>().parameters()
    }

    #[test]
    fn types_and_words_of_the_blueprint_are_told() {
        let rows = rows::<Blueprint>();
        let of = |name: &str| {
            let row = rows.iter().find(|row| row.name == name).unwrap();
            format!("{}; {}", row.kind, row.range)
        };
        assert_eq!(of("max_num_epochs"), "integer; ");
        assert_eq!(of("gradient_clipping"), "number or none; ");
        assert_eq!(of("mirror_axes"), "list of integers or none; ");
        assert_eq!(of("loss"), "string or table; ");
        assert_eq!(of("precision"), "string; `auto`, `fp32`, `bf16`, `fp16`");
        assert!(of("optimizer").starts_with("table or string; `SGD`"), "{}", of("optimizer"));
        assert!(rows.iter().all(|row| !row.doc.is_empty()), "every parameter says what it means");
    }

    #[test]
    fn settings_of_planners_are_told() {
        assert!(rows::<PlannerSettings>().iter().any(|row| row.range.contains("`spacing_based`")));
    }

    #[test]
    fn defaults_alone_have_types() {
        let defaults = serde_json::json!({ "k": 10, "p": 0.5 });
        let info = Info::new(Kind::Loss, "L", "").with_defaults(&defaults);
        let kinds: Vec<String> = info.parameters().into_iter().map(|row| row.kind).collect();
        assert_eq!(kinds, ["integer", "number"]);
    }
}
