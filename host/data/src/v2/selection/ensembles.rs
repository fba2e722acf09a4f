//! The validations of two models merged case by case (v2 `ensemble_crossvalidations`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_engine::progress;

use super::validation;
use crate::failures;
use crate::folders::{case_names, create};
use crate::selection::is_current;
use crate::v2::Ensemble;

/// Merges the validated cases of models, by their kept probabilities, into a folder. Without `overwrite`, label maps
/// that are newer than these stay.
///
/// # Errors
/// Returns an error for folds without kept probabilities, or if the models have validated different cases.
pub(super) fn merge_validations(
    models: &[PathBuf],
    folds: &[String],
    output: &Path,
    overwrite: bool,
) -> Result<()> {
    let by_model = models.iter().map(|model| probabilities(model, folds)).collect::<Result<Vec<_>>>()?;
    let (Some(first), Some(model)) = (by_model.first(), models.first()) else { return Ok(()) };
    for (other, cases) in models.iter().zip(&by_model) {
        let lacks = |a: &BTreeMap<String, PathBuf>, b: &BTreeMap<String, PathBuf>| -> Vec<String> {
            a.keys().filter(|case| !b.contains_key(*case)).cloned().collect()
        };
        let differ = [lacks(first, cases), lacks(cases, first)].concat();
        ensure!(
            differ.is_empty(),
            "{} and {} have validated different cases in the folds {}: {}",
            model.display(),
            other.display(),
            folds.join(", "),
            differ.join(", ")
        );
    }
    create(output)?;
    let ensemble = Ensemble::new(model, output)?;
    let label_map = |case: &str| output.join(format!("{case}{}", ensemble.file_ending));
    let sources = |case: &str| {
        by_model.iter().filter_map(|cases| cases.get(case).map(PathBuf::as_path)).collect::<Vec<_>>()
    };
    let is_merged = |case: &str| is_current(&label_map(case), sources(case));
    let cases: Vec<&String> = first.keys().filter(|case| overwrite || !is_merged(case)).collect();
    let bar = progress::start(cases.len(), "merging");
    let merge = |case: &&String| {
        let sources: Vec<PathBuf> = sources(case).into_iter().map(Path::to_owned).collect();
        let merged = ensemble.merge(&sources, &label_map(case), false);
        bar.inc(1);
        merged.with_context(|| (*case).clone())
    };
    failures::each("cases cannot be merged", &cases, merge)?;
    Ok(())
}

/// The kept probabilities of a model's validations by case.
fn probabilities(model: &Path, folds: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    let mut cases = BTreeMap::new();
    for fold in folds {
        let folder = validation(model, fold);
        let names = if folder.is_dir() { case_names(&folder)? } else { Vec::new() };
        ensure!(
            !names.is_empty(),
            "{} has no npz files, which ensembles are made of; validate again with \
             `nnUNetv2_train [...] --val --npz`, or leave ensembles out with --disable_ensembling",
            folder.display()
        );
        for name in names {
            let path = folder.join(format!("{name}.npz"));
            if let Some(other) = cases.insert(name, path) {
                anyhow::bail!("{}: another fold has validated this case too", other.display());
            }
        }
    }
    Ok(cases)
}
