//! Folds of a cross-validation, and `splits_final.pkl`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_formats::json::{self, Json};
use nnunet_formats::pickle::Value;
use nnunet_numerics::{kfold, random_split};

/// Folds of both versions.
pub const FOLDS: usize = 5;
/// v1's file of folds; the same in JSON lies beside it.
pub const SPLITS: &str = "splits_final.pkl";

/// Training and validation cases of a fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Training cases, sorted.
    pub train: Vec<String>,
    /// Validation cases, sorted.
    pub val: Vec<String>,
}

/// The five folds of both versions (scikit-learn's `KFold`, shuffled with seed 12345) of sorted cases.
#[must_use]
pub fn default_splits(cases: &[String]) -> Vec<Split> {
    let pick = |indices: &[usize], inside: bool| {
        let chosen = cases.iter().enumerate().filter(|(i, _)| indices.contains(i) == inside);
        chosen.map(|(_, case)| case.clone()).collect()
    };
    let folds = kfold(cases.len(), FOLDS);
    folds.iter().map(|val| Split { train: pick(val, false), val: pick(val, true) }).collect()
}

/// 80 of 100 cases to train on and the others to validate, drawn at random but always the same for a fold.
#[must_use]
pub fn random_split_of(cases: &[String], fold: usize) -> Split {
    let chosen = random_split(cases.len(), fold);
    let (train, val): (Vec<_>, Vec<_>) = cases.iter().enumerate().partition(|(i, _)| chosen.contains(i));
    let names = |list: Vec<(usize, &String)>| list.into_iter().map(|(_, case)| case.clone()).collect();
    Split { train: names(train), val: names(val) }
}

/// v1's list of folds.
#[must_use]
pub fn splits_to_pickle(splits: &[Split]) -> Value {
    let fold = |split: &Split| {
        let entry = |key: &str, cases: &[String]| (Value::str(key), Value::str_array(cases));
        Value::OrderedDict(vec![entry("train", &split.train), entry("val", &split.val)])
    };
    Value::List(splits.iter().map(fold).collect())
}

/// v2's list of folds, which is v1's in JSON.
///
/// # Errors
/// As [`splits_from_pickle`].
pub fn splits_from_json(json: &Json) -> Result<Vec<Split>> {
    let fold = |json: &Json| {
        let cases = |key: &str| {
            let cases = json.get(key)?.items()?.iter().map(|case| case.as_str().map(str::to_owned));
            let mut cases = cases.collect::<Option<Vec<String>>>()?;
            cases.sort();
            Some(cases)
        };
        Some(Split { train: cases("train")?, val: cases("val")? })
    };
    let folds = json.items().context("not a list of folds")?;
    folds.iter().map(|json| fold(json).context("a fold without lists `train` and `val`")).collect()
}

/// Back from v1's list of folds; users write lists instead of arrays, and any number of folds.
///
/// # Errors
/// Returns an error for something else than a list of `{train, val}`.
pub fn splits_from_pickle(value: &Value) -> Result<Vec<Split>> {
    let fold = |value: &Value| {
        let cases = |key: &str| {
            let mut cases = value.get(key)?.to_strings()?;
            cases.sort();
            Some(cases)
        };
        Some(Split { train: cases("train")?, val: cases("val")? })
    };
    let folds = value.items().context("not a list of folds")?;
    folds.iter().map(|v| fold(v).context("a fold without lists `train` and `val`")).collect()
}

/// The folds in `splits_final.pkl` of a folder, or else in its `splits_final.json`.
///
/// # Errors
/// Returns an error if neither can be read.
pub fn listed_splits(preprocessed: &Path) -> Result<Vec<Split>> {
    let path = splits_file(preprocessed);
    if path.ends_with(SPLITS) {
        return super::load_with_twin(&path, splits_from_pickle);
    }
    splits_from_json(&json::load(&path)?).with_context(|| path.display().to_string())
}

/// The file that [`listed_splits`] reads.
#[must_use]
pub fn splits_file(preprocessed: &Path) -> PathBuf {
    let path = preprocessed.join(SPLITS);
    let twin = path.with_extension("json");
    if path.is_file() || !twin.is_file() { path } else { twin }
}

/// Whether a folder of v1 has folds already.
#[must_use]
pub fn has_splits(preprocessed: &Path) -> bool {
    let path = preprocessed.join(SPLITS);
    path.is_file() || path.with_extension("json").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same_folds() {
        let fold = |train: &[&str], val: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Split { train: names(train), val: names(val) }
        };
        let folds = [fold(&["a", "b"], &["c"]), fold(&["c"], &["a", "b"])];
        let pickle = splits_to_pickle(&folds);
        assert_eq!(splits_from_pickle(&pickle).unwrap(), folds);
        assert_eq!(splits_from_json(&Json::from(&pickle)).unwrap(), folds);
        assert!(splits_from_json(&Json::Array(vec![Json::Null])).is_err());
    }
}
