//! `splits_final.json`: which cases a fold trains on.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_formats::json::{self, Json};
use serde::Deserialize;

use super::load;
use crate::folders::{copy_file, subfolders};
use crate::records::{FOLDS, Split, default_splits};

/// The file's name.
pub(super) const SPLITS: &str = "splits_final.json";

/// A fold of the file; entries may have more keys, which the file keeps.
#[derive(Deserialize)]
struct Fold {
    train: Vec<String>,
    val: Vec<String>,
}

/// Takes the split that lies with the raw data. One that is there already must begin with the same folds.
pub(super) fn take_splits(from: &Path, to: &Path) -> Result<()> {
    if !from.is_file() {
        return Ok(());
    }
    if !to.is_file() {
        return copy_file(from, to);
    }
    let (wanted, found): (Vec<Fold>, Vec<Fold>) = (load(from)?, load(to)?);
    let set = |cases: &[String]| cases.iter().cloned().collect::<BTreeSet<_>>();
    let same = |(fold, split): (usize, &Fold)| {
        let is_same =
            |other: &Fold| set(&other.train) == set(&split.train) && set(&other.val) == set(&split.val);
        found.get(fold).is_some_and(is_same)
    };
    let all = wanted.iter().enumerate().all(same);
    ensure!(all, "{} differs from {}; remove one of them", to.display(), from.display());
    Ok(())
}

/// Makes the split of preprocessed cases with `folds`, by default the same that Python makes when it first trains. A file that is there stays:
/// it may be the user's, and models may have been trained on it. Only the default split of other cases is made again, as
/// long as `results`, the folder of the data set's models, has none. Without five cases there is none.
///
/// # Errors
/// Returns an error if the file cannot be read or written.
pub fn prepare_splits(
    preprocessed: &Path,
    cases: &[String],
    results: Option<&Path>,
    folds: impl Fn(&[String]) -> Result<Vec<Split>>,
) -> Result<()> {
    let path = preprocessed.join(SPLITS);
    let mut cases = cases.to_vec();
    cases.sort();
    if path.is_file() {
        let found: Vec<Fold> = load(&path)?;
        let (is_default, known) = described(&found);
        let missing: Vec<&String> = cases.iter().filter(|case| !known.contains(*case)).collect();
        let gone = known.iter().any(|case| !cases.contains(case));
        if missing.is_empty() && !gone {
            return Ok(());
        }
        if !is_default || results.is_none_or(|results| !subfolders(results).is_empty()) {
            let path = path.display();
            tracing::warn!(
                "{path} is kept, but belongs to other cases (not in it: {missing:?}); without it, it is made again"
            );
            return Ok(());
        }
    }
    if cases.len() >= FOLDS {
        save_splits(preprocessed, &folds(&cases)?)?;
    }
    Ok(())
}

/// Writes the folds of preprocessed cases.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn save_splits(preprocessed: &Path, splits: &[Split]) -> Result<()> {
    Ok(json::save(&preprocessed.join(SPLITS), &to_json(splits))?)
}

/// Whether folds are the default ones of their cases, and these cases.
fn described(folds: &[Fold]) -> (bool, BTreeSet<String>) {
    let cases: BTreeSet<String> =
        folds.iter().flat_map(|fold| fold.train.iter().chain(&fold.val)).cloned().collect();
    let sorted: Vec<String> = cases.iter().cloned().collect();
    let folds = folds.iter().map(|fold| Split { train: fold.train.clone(), val: fold.val.clone() });
    (sorted.len() >= FOLDS && folds.eq(default_splits(&sorted)), cases)
}

fn to_json(splits: &[Split]) -> Json {
    let names = |cases: &[String]| Json::Array(cases.iter().cloned().map(Json::Str).collect());
    let fold = |split: &Split| {
        let entries = [("train", &split.train), ("val", &split.val)];
        Json::Object(entries.map(|(key, cases)| (key.to_owned(), names(cases))).to_vec())
    };
    Json::Array(splits.iter().map(fold).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_taken_once_and_then_compared() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from.json"), folder.path().join("to.json"));
        take_splits(&from, &to).unwrap();
        assert!(!to.exists());
        std::fs::write(&from, r#"[{"train":["a","b"],"val":["c"]}]"#).unwrap();
        take_splits(&from, &to).unwrap();
        std::fs::write(&to, r#"[{"train":["b","a"],"val":["c"]},{"train":["c"],"val":["a"]}]"#).unwrap();
        take_splits(&from, &to).unwrap();
        std::fs::write(&to, r#"[{"train":["a"],"val":["c"]}]"#).unwrap();
        assert!(take_splits(&from, &to).unwrap_err().to_string().contains("differs"));
    }

    fn prepare(preprocessed: &Path, cases: &[String], results: Option<&Path>) -> Result<()> {
        prepare_splits(preprocessed, cases, results, |cases| Ok(default_splits(cases)))
    }

    fn cases(count: usize) -> Vec<String> {
        (0..count).rev().map(|i| format!("case_{i:02}")).collect()
    }

    fn validation(folder: &Path) -> Vec<Vec<String>> {
        let folds: Vec<Fold> = load(&folder.join(SPLITS)).unwrap();
        folds.into_iter().map(|fold| fold.val).collect()
    }

    /// What `generate_crossval_split` of nnunetv2 2.8.1 makes of the sorted names.
    #[test]
    fn the_split_is_that_of_python() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path(), &cases(7), None).unwrap();
        let wanted: [&[usize]; 5] = [&[3, 6], &[0, 4], &[1], &[5], &[2]];
        let wanted = wanted.map(|fold| fold.iter().map(|i| format!("case_{i:02}")).collect::<Vec<_>>());
        assert_eq!(validation(folder.path()), wanted);
    }

    #[test]
    fn a_split_that_someone_made_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SPLITS);
        let text = r#"[{"train":["case_00"],"val":["case_01"],"more":[1]}]"#;
        std::fs::write(&path, text).unwrap();
        prepare(folder.path(), &cases(7), Some(&folder.path().join("results"))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn the_default_split_grows_with_the_cases_until_a_model_is_trained() {
        let folder = tempfile::tempdir().unwrap();
        let results = folder.path().join("results");
        prepare(folder.path(), &cases(3), Some(&results)).unwrap();
        assert!(!folder.path().join(SPLITS).exists());
        for count in [7, 8] {
            prepare(folder.path(), &cases(count), Some(&results)).unwrap();
            assert_eq!(validation(folder.path()).concat().len(), count);
        }
        std::fs::create_dir_all(results.join("nnUNetTrainer__nnUNetPlans__2d")).unwrap();
        for results in [Some(results.as_path()), None] {
            prepare(folder.path(), &cases(9), results).unwrap();
            assert_eq!(validation(folder.path()).concat().len(), 8);
        }
    }
}
