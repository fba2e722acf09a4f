//! JSON as Python writes and reads it: four spaces, sorted keys, bare `NaN`.

use std::path::Path;

use crate::pickle::{DType, NdArray, Value as Pickle};
use crate::{Error, Result, atomic, input};

/// A JSON value whose numbers may be NaN or infinite.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number without a point.
    Int(i64),
    /// A number with a point, `NaN`, `Infinity`.
    Float(f64),
    /// Text.
    Str(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        if let Json::Object(entries) = self {
            entries.iter().find(|(name, _)| name == key).map(|(_, v)| v)
        } else {
            None
        }
    }

    /// Mutable value of a key.
    #[must_use]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        if let Json::Object(entries) = self {
            entries.iter_mut().find(|(name, _)| name == key).map(|(_, v)| v)
        } else {
            None
        }
    }

    /// A number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Int(value) => Some(*value as f64),
            Json::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Json::Str(text) = self { Some(text) } else { None }
    }

    /// Elements of an array.
    #[must_use]
    pub fn items(&self) -> Option<&[Json]> {
        if let Json::Array(items) = self { Some(items) } else { None }
    }

    /// As `json.dump(..., indent=4, sort_keys=True)`.
    #[must_use]
    pub fn to_python(&self) -> String {
        let mut out = String::new();
        write_value(&mut out, self, 0, Keys::Sorted);
        out
    }

    /// As `json.dump(..., indent=4)`.
    #[must_use]
    pub fn to_python_in_order(&self) -> String {
        let mut out = String::new();
        write_value(&mut out, self, 0, Keys::AsTheyAre);
        out
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Json::Null,
            serde_json::Value::Bool(value) => Json::Bool(value),
            serde_json::Value::Number(n) => {
                n.as_i64().map_or_else(|| Json::Float(n.as_f64().unwrap_or(f64::NAN)), Json::Int)
            }
            serde_json::Value::String(text) => Json::Str(text),
            serde_json::Value::Array(items) => Json::Array(items.into_iter().map(Json::from).collect()),
            serde_json::Value::Object(map) => {
                Json::Object(map.into_iter().map(|(k, v)| (k, v.into())).collect())
            }
        }
    }
}

/// The JSON twin of a pickle: NumPy becomes numbers and lists, keys become text.
impl From<&Pickle> for Json {
    fn from(value: &Pickle) -> Self {
        match value {
            Pickle::None => Json::Null,
            Pickle::Bool(value) => Json::Bool(*value),
            Pickle::Int(value) => Json::Int(*value),
            Pickle::Float(value) => Json::Float(*value),
            Pickle::Str(text) | Pickle::Global(text) => Json::Str(text.clone()),
            Pickle::Bytes(bytes) => {
                Json::Array(bytes.iter().map(|byte| Json::Int(i64::from(*byte))).collect())
            }
            Pickle::List(items) | Pickle::Tuple(items) | Pickle::Set(items) => {
                Json::Array(items.iter().map(Json::from).collect())
            }
            Pickle::Dict(entries) | Pickle::OrderedDict(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key_text(key), value.into())).collect())
            }
            Pickle::Array(array) | Pickle::Scalar(array) => array_json(array),
            Pickle::DType(dtype) => Json::Str(dtype.code()),
            Pickle::Tensor(index) => Json::Str(format!("tensor {index}")),
        }
    }
}

fn key_text(key: &Pickle) -> String {
    match Json::from(key) {
        Json::Str(text) => text,
        other => other.to_python(),
    }
}

fn array_json(array: &NdArray) -> Json {
    let elements: Vec<Json> = if array.dtype == DType::Object {
        array.objects.iter().map(Json::from).collect()
    } else if let Some(texts) = array.to_strings() {
        texts.into_iter().map(Json::Str).collect()
    } else {
        let numbers = array.to_f64().unwrap_or_default();
        numbers.into_iter().map(|value| number(value, array.dtype)).collect()
    };
    nest(&mut elements.into_iter(), &array.shape)
}

fn number(value: f64, dtype: DType) -> Json {
    match dtype {
        DType::Bool => Json::Bool(value != 0.0),
        DType::F16 | DType::F32 | DType::F64 => Json::Float(value),
        _ => Json::Int(value as i64),
    }
}

fn nest(elements: &mut impl Iterator<Item = Json>, shape: &[usize]) -> Json {
    match shape {
        [] => elements.next().unwrap_or(Json::Null),
        [len, rest @ ..] => Json::Array((0..*len).map(|_| nest(elements, rest)).collect()),
    }
}

/// Reads a JSON file, bare `NaN` and `Infinity` included.
///
/// # Errors
/// Returns an error if the file cannot be read or is not JSON.
pub fn load(path: &Path) -> Result<Json> {
    let bytes = input::read(path)?;
    let text =
        str::from_utf8(&bytes).map_err(|error| Error::invalid(path, format!("not valid UTF-8: {error}")))?;
    parse(text).map_err(|message| Error::invalid(path, format!("not valid JSON: {message}")))
}

/// Writes a JSON file as Python would.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save(path: &Path, value: &Json) -> Result<()> {
    atomic::write_bytes(path, value.to_python().as_bytes())
}

/// Writes a JSON file as Python would without sorting keys.
///
/// # Errors
/// Returns an I/O error.
pub fn save_in_order(path: &Path, value: &Json) -> Result<()> {
    atomic::write_bytes(path, value.to_python_in_order().as_bytes())
}

/// Parses JSON text. NaN is not JSON: it goes through the parser as a marked text. A byte order mark, with which
/// Windows' editors begin UTF-8, is ignored.
///
/// # Errors
/// Returns a message with the position of the first syntax error.
pub fn parse(text: &str) -> std::result::Result<Json, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: serde_json::Value =
        serde_json::from_str(&mark_non_finite(text)).map_err(|error| error.to_string())?;
    Ok(unmark(value.into()))
}

const MARK: &str = "\u{1}non-finite:";

fn mark_non_finite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut in_text) = (text, false);
    while let Some(c) = rest.chars().next() {
        let token =
            ["NaN", "-Infinity", "Infinity"].into_iter().find(|token| !in_text && rest.starts_with(token));
        let taken = if let Some(token) = token {
            out.push_str(&format!("\"\\u0001non-finite:{token}\""));
            token.len()
        } else if in_text && c == '\\' {
            let taken = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..taken]);
            taken
        } else {
            in_text ^= c == '"';
            out.push(c);
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    out
}

fn unmark(value: Json) -> Json {
    match value {
        Json::Str(text) => match text.strip_prefix(MARK) {
            Some("NaN") => Json::Float(f64::NAN),
            Some("Infinity") => Json::Float(f64::INFINITY),
            Some(_) => Json::Float(f64::NEG_INFINITY),
            None => Json::Str(text),
        },
        Json::Array(items) => Json::Array(items.into_iter().map(unmark).collect()),
        Json::Object(entries) => {
            Json::Object(entries.into_iter().map(|(key, value)| (key, unmark(value))).collect())
        }
        other => other,
    }
}

/// In which order the keys of objects are written.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    Sorted,
    AsTheyAre,
}

fn write_value(out: &mut String, value: &Json, depth: usize, keys: Keys) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Int(value) => out.push_str(&value.to_string()),
        Json::Float(value) => out.push_str(&float_repr(*value)),
        Json::Str(text) => write_text(out, text),
        Json::Array(items) => write_block(out, '[', ']', items.iter(), depth, |out, item| {
            write_value(out, item, depth + 1, keys)
        }),
        Json::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            if keys == Keys::Sorted {
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
            }
            write_block(out, '{', '}', sorted.into_iter(), depth, |out, (key, value)| {
                write_text(out, key);
                out.push_str(": ");
                write_value(out, value, depth + 1, keys);
            });
        }
    }
}

fn write_block<T>(
    out: &mut String,
    open: char,
    close: char,
    items: impl ExactSizeIterator<Item = T>,
    depth: usize,
    mut write: impl FnMut(&mut String, T),
) {
    out.push(open);
    let empty = items.len() == 0;
    for (i, item) in items.enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        out.push_str(&"    ".repeat(depth + 1));
        write(out, item);
    }
    if !empty {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    }
    out.push(close);
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    out.push('"');
}

/// Python's `repr` of a float.
#[must_use]
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || value == 0.0 {
        let plain = format!("{value}");
        if plain.contains('.') { plain } else { plain + ".0" }
    } else {
        format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_like_pythons() {
        let shown = [1.0, 1e-5, 0.0001, 1e16, 1.5e300, 123456.789, 0.0].map(float_repr);
        assert_eq!(shown, ["1.0", "1e-05", "0.0001", "1e+16", "1.5e+300", "123456.789", "0.0"]);
    }

    #[test]
    fn nan_is_read_and_written_and_text_is_left_alone() {
        let value = parse(r#"{"b": [NaN, -Infinity, 1], "a": "NaN \" NaN"}"#).unwrap();
        assert!(value.get("b").unwrap().items().unwrap()[0].as_f64().unwrap().is_nan());
        assert_eq!(value.get("a").unwrap().as_str(), Some("NaN \" NaN"));
        assert_eq!(
            value.to_python(),
            "{\n    \"a\": \"NaN \\\" NaN\",\n    \"b\": [\n        NaN,\n        -Infinity,\n        1\n    ]\n}"
        );
    }
}
