//! The validation cases of all folds in one folder (v1 `consolidate_folds`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::json;

use super::determine::{Determination, determine, pairs};
use super::freshness::is_current;
use super::missing_folds;
use crate::summary::{self, Head};
use crate::{folders, images};

/// Folder of a model that the cases of all folds are collected in.
const COLLECTED: &str = "cv_niftis_raw";

fn validation(model: &Path, fold: usize, name: &str) -> PathBuf {
    model.join(format!("fold_{fold}")).join(name)
}

/// Checks that all folds have been validated.
fn check(model: &Path, folds: &[usize], name: &str) -> Result<()> {
    missing_folds::describe(model, folds, name).map_or(Ok(()), |text| bail!(text))
}

/// Whether what [`collect`] has made is of these folds as they are now: the same cases, none of which was predicted again
/// since. Of trained folds whose validations were all deleted afterwards, what was collected stands.
///
/// # Errors
/// Returns an error for folds that are missing.
pub fn is_collected(model: &Path, folds: &[usize], name: &str) -> Result<bool> {
    let to = model.join(COLLECTED);
    let is_there = to.join("summary.json").is_file();
    let is_deleted = |fold: &usize| {
        model.join(format!("fold_{fold}")).is_dir() && !validation(model, *fold, name).is_dir()
    };
    if is_there && folds.iter().all(is_deleted) {
        return Ok(true);
    }
    check(model, folds, name)?;
    if !is_there {
        return Ok(false);
    }
    let cases = cases(model, folds, name)?;
    let is_copied = |(name, from): (&String, &PathBuf)| is_current(&to.join(name), [from.as_path()]);
    Ok(cases.iter().all(is_copied) && images::list(&to)?.iter().eq(cases.keys()))
}

/// The label maps of the folds' validations, by name.
fn cases(model: &Path, folds: &[usize], name: &str) -> Result<BTreeMap<String, PathBuf>> {
    let mut cases = BTreeMap::new();
    for fold in folds {
        let from = validation(model, *fold, name);
        cases.extend(images::list(&from)?.into_iter().map(|name| (name.clone(), from.join(name))));
    }
    Ok(cases)
}

/// Whether the postprocessing of a model was determined on the cases that are collected now.
///
/// # Errors
/// Returns an error if they cannot be listed.
pub fn is_determined(model: &Path) -> Result<bool> {
    let file = model.join("postprocessing.json");
    if !file.is_file() {
        return Ok(false);
    }
    let folder = model.join(COLLECTED);
    let cases: Vec<PathBuf> = images::list(&folder)?.iter().map(|name| folder.join(name)).collect();
    Ok(is_current(&file, cases.iter().map(PathBuf::as_path)))
}

/// Copies the validation cases of all folds, from their folders called `name`, into `cv_niftis_raw` and evaluates them.
///
/// # Errors
/// Returns an error for folds that are missing, or for cases without reference segmentation, or the reverse.
pub fn collect(model: &Path, folds: &[usize], name: &str) -> Result<()> {
    check(model, folds, name)?;
    let references = model.join("gt_niftis");
    let (predicted, known) = (cases(model, folds, name)?, images::list(&references)?);
    ensure!(
        predicted.len() == known.len(),
        "{}: {} cases are predicted, but there are {} reference segmentations; train all folds first",
        model.display(),
        predicted.len(),
        known.len()
    );
    let to = model.join(COLLECTED);
    if to.exists() {
        std::fs::remove_dir_all(&to).with_context(|| to.display().to_string())?;
    }
    folders::create(&to)?;
    for (name, from) in &predicted {
        folders::copy_file(from, &to.join(name))?;
    }
    let first = validation(model, *folds.first().context("no folds are named")?, name);
    let labels = super::foreground::labels(&json::load(&first.join("summary.json"))?);
    let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
    summary::write(&to.join("summary.json"), &pairs(&to, &references)?, &labels, &Head::default())?;
    Ok(())
}

/// Collects the folds and determines the postprocessing of the model.
///
/// # Errors
/// As [`collect`] and [`determine`].
pub fn consolidate(model: &Path, folds: &[usize], name: &str) -> Result<()> {
    collect(model, folds, name)?;
    determine(&Determination {
        raw: model.join(COLLECTED),
        references: model.join("gt_niftis"),
        output: model.to_owned(),
        final_name: "cv_niftis_postprocessed".to_owned(),
        advanced: false,
        threshold: 0.0,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_collected_stands_where_the_validations_were_deleted() {
        let model = tempfile::tempdir().unwrap();
        let write = |file: &str| {
            let path = model.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        };
        write("cv_niftis_raw/summary.json");
        write("fold_0/model_final_checkpoint.model");
        let collected = |folds: &[usize]| is_collected(model.path(), folds, "validation_raw");
        assert!(collected(&[0]).unwrap());
        assert!(collected(&[0, 9]).is_err(), "fold 9 was never trained");
        write("fold_0/validation_raw/summary.json");
        write("fold_0/validation_raw/a.nii.gz");
        assert!(!collected(&[0]).unwrap(), "a.nii.gz was not collected");
    }
}
