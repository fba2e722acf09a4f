//! The vocabulary as v1's pickles, and back. Each pickle is written with a JSON twin beside it.

mod case;
mod fingerprint;
mod plans;
mod plans_check;
mod splits;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_formats::json::{self, Json};
use nnunet_formats::pickle::{self, Value};

pub use case::{case_from_pickle, case_of_probabilities_to_pickle, case_to_pickle};
pub use fingerprint::{fingerprint_from_pickle, fingerprint_to_pickle, intensities_to_pickle};
pub use plans::{plans_from_pickle, plans_to_pickle};
pub use plans_check::{check_plans, check_plans_are_there};
pub use splits::{
    FOLDS, SPLITS, Split, default_splits, has_splits, listed_splits, random_split_of, splits_file,
    splits_from_json, splits_from_pickle, splits_to_pickle,
};

/// Writes a pickle.
///
/// # Errors
/// Returns an I/O error.
pub fn save(path: &Path, value: &Value) -> Result<()> {
    Ok(pickle::save(path, value)?)
}

/// Writes a pickle and its JSON twin.
///
/// # Errors
/// Returns an I/O error.
pub fn save_with_twin(path: &Path, value: &Value) -> Result<()> {
    pickle::save(path, value)?;
    Ok(json::save(&path.with_extension("json"), &Json::from(value))?)
}

/// Reads a pickle and converts it; errors name the file and the key.
///
/// # Errors
/// Returns an error for a file that is not a pickle, or a key that is missing or of the wrong type.
pub fn load<T>(path: &Path, convert: impl FnOnce(&Value) -> Result<T>) -> Result<T> {
    convert(&pickle::load(path)?).with_context(|| path.display().to_string())
}

/// As [`load`], of a pickle with a JSON twin beside it, where there is one: whoever changed only one of them would train
/// with the other.
///
/// # Errors
/// As [`load`]; an error if they differ.
pub fn load_with_twin<T>(path: &Path, convert: impl FnOnce(&Value) -> Result<T>) -> Result<T> {
    let (value, twin) = (pickle::load(path)?, path.with_extension("json"));
    if twin.is_file() {
        // As text, in which NaN equals itself.
        let (ours, theirs) = (Json::from(&value).to_python(), json::load(&twin)?.to_python());
        ensure!(
            ours == theirs,
            "{} and {} differ; {}",
            path.display(),
            twin.display(),
            if path.ends_with(SPLITS) {
                "to train with the folds of the .json, remove the .pkl; to train with those of the .pkl, remove the .json"
            } else {
                "the .pkl is what counts: remove the .json, and change plans with nnunet plans edit, which writes both"
            }
        );
    }
    convert(&value).with_context(|| path.display().to_string())
}

fn get<'a>(value: &'a Value, key: &str) -> Result<&'a Value> {
    value.get(key).with_context(|| format!("the key `{key}` is missing"))
}

/// Converts the value of a key.
fn field<T>(value: &Value, key: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Result<T> {
    convert(get(value, key)?).with_context(|| format!("the key `{key}` is of the wrong kind"))
}

/// As [`field`], of a key that may be missing or `None`.
fn optional<T>(value: &Value, key: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>> {
    let present = value.get(key).filter(|value| **value != Value::None);
    present.map(|_| field(value, key, convert)).transpose()
}

fn three<T: Copy>(values: Vec<T>) -> Option<[T; 3]> {
    values.as_slice().try_into().ok()
}

fn f64x3(value: &Value) -> Option<[f64; 3]> {
    three(value.to_f64_vec()?)
}

fn usizex3(value: &Value) -> Option<[usize; 3]> {
    three(value.to_usize_vec()?)
}

/// Values of a dictionary with the keys 0, 1, 2, ...
fn by_number<T>(value: &Value, convert: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let mut entries: Vec<(i64, &Value)> =
        value.entries()?.iter().map(|(key, value)| Some((key.as_i64()?, value))).collect::<Option<_>>()?;
    entries.sort_by_key(|(key, _)| *key);
    entries.into_iter().map(|(_, value)| convert(value)).collect()
}

fn numbered(values: impl IntoIterator<Item = Value>) -> Vec<(Value, Value)> {
    values.into_iter().enumerate().map(|(i, value)| (Value::Int(i as i64), value)).collect()
}

fn int_tuple(values: [usize; 3]) -> Value {
    Value::Tuple(values.iter().map(|value| Value::Int(*value as i64)).collect())
}

fn float_tuple(values: &[f64]) -> Value {
    Value::Tuple(values.iter().map(|value| Value::Float(*value)).collect())
}
