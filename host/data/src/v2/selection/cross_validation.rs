//! The validation cases of all folds of a model in one folder (v2 `accumulate_cv_results`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::{DESCRIPTIONS, SUMMARY, evaluation, references, validation};
use crate::folders::{copy_file, create, file_names};
use crate::selection::is_current;
use crate::v2::{Dataset, Folders, evaluate, load};

/// What is collected, and where.
#[derive(Debug, Clone)]
pub struct CrossValidation {
    /// The model's folder.
    pub model: PathBuf,
    /// Folder for the label maps, `summary.json`, `plans.json` and `dataset.json`.
    pub output: PathBuf,
    /// Folds.
    pub folds: Vec<String>,
    /// What an earlier run has left in the folder is removed, and not completed.
    pub overwrite: bool,
}

#[derive(Deserialize)]
struct Plans {
    dataset_name: String,
}

/// Collects the label maps of a model's validations and evaluates them together.
///
/// # Errors
/// Returns an error for folds that are not trained, for cases that are in several folds, or if cases cannot be compared.
pub fn accumulate(what: &CrossValidation, folders: &Folders) -> Result<()> {
    let dataset = Dataset::load(&what.model)?;
    let plans: Plans = load(&what.model.join("plans.json"))?;
    let cases = cases(what, &dataset.file_ending)?;
    if what.overwrite && what.output.is_dir() {
        std::fs::remove_dir_all(&what.output).with_context(|| what.output.display().to_string())?;
    }
    create(&what.output)?;
    for name in DESCRIPTIONS {
        copy_file(&what.model.join(name), &what.output.join(name))?;
    }
    let mut is_new = false;
    for (name, fold) in &cases {
        let to = what.output.join(name);
        let from = validation(&what.model, fold).join(name);
        if !is_current(&to, [from.as_path()]) {
            // A file that holds the same bytes already would keep its date.
            if to.is_file() {
                std::fs::remove_file(&to).with_context(|| to.display().to_string())?;
            }
            copy_file(&from, &to)?;
            is_new = true;
        }
    }
    let summary = what.output.join(SUMMARY);
    if is_new || !summary.is_file() {
        let references = truths(&plans.dataset_name, folders)?;
        evaluate(&evaluation(&dataset, &references, &what.output), &summary)?;
    }
    Ok(())
}

/// The label maps of the folds' validations, each with its fold.
fn cases(what: &CrossValidation, ending: &str) -> Result<BTreeMap<String, String>> {
    let lacking: Vec<&str> = what
        .folds
        .iter()
        .filter(|fold| !validation(&what.model, fold).is_dir())
        .map(String::as_str)
        .collect();
    ensure!(
        lacking.is_empty(),
        "{}: folds {} have no validation; train them, or name others with -f",
        what.model.display(),
        lacking.join(", ")
    );
    let mut cases = BTreeMap::new();
    for fold in &what.folds {
        for name in file_names(&validation(&what.model, fold), ending)? {
            let other = cases.insert(name.clone(), fold.clone());
            let other = other.filter(|_| what.overwrite);
            ensure!(
                other.is_none(),
                "{}: {name} is in the validations of the folds {} and {fold}",
                what.model.display(),
                other.unwrap_or_default()
            );
        }
    }
    ensure!(!cases.is_empty(), "{}: the validations have no {ending} files", what.model.display());
    Ok(cases)
}

/// The reference label maps: those of the raw data set, or else those of the preprocessed one.
fn truths(dataset: &str, folders: &Folders) -> Result<PathBuf> {
    let raw = folders.raw().map(|root| root.join(dataset).join("labelsTr"));
    match raw {
        Ok(raw) if raw.is_dir() => Ok(raw),
        _ => references(dataset, folders),
    }
}
