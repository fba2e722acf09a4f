//! The validation cases of all folds in one folder (v1 `consolidate_folds`).

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_formats::json;

use super::determine::{Determination, determine, pairs};
use crate::summary::{self, Head};
use crate::{folders, images};

/// Name of the folder of a fold's validation, unless another is asked for.
pub const VALIDATION: &str = "validation_raw";

/// Copies the validation cases of all folds, from their folders called `name`, into `cv_niftis_raw` and evaluates them.
///
/// # Errors
/// Returns an error for folds that are missing, or for cases without reference segmentation, or the reverse.
pub fn collect(model: &Path, folds: &[usize], name: &str) -> Result<()> {
    let validation = |fold: &usize| model.join(format!("fold_{fold}")).join(name);
    let missing: Vec<&usize> =
        folds.iter().filter(|fold| !validation(fold).join("summary.json").is_file()).collect();
    ensure!(
        missing.is_empty(),
        "{}: folds {missing:?} have no finished validation; run `nnunet train CONFIGURATION TRAINER TASK FOLD -val --npz`",
        model.display()
    );
    let to = model.join("cv_niftis_raw");
    if to.exists() {
        std::fs::remove_dir_all(&to).with_context(|| to.display().to_string())?;
    }
    folders::create(&to)?;
    for fold in folds {
        let from = validation(fold);
        for name in images::list(&from)? {
            folders::copy_file(&from.join(&name), &to.join(&name))?;
        }
    }
    let references = model.join("gt_niftis");
    let (predicted, known) = (images::list(&to)?, images::list(&references)?);
    ensure!(
        predicted.len() == known.len(),
        "{}: {} cases are predicted, but there are {} reference segmentations; train all folds first",
        model.display(),
        predicted.len(),
        known.len()
    );
    let first = folds.first().context("no folds are named")?;
    let labels = super::foreground::labels(&json::load(&validation(first).join("summary.json"))?);
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
        raw: model.join("cv_niftis_raw"),
        references: model.join("gt_niftis"),
        output: model.to_owned(),
        final_name: "cv_niftis_postprocessed".to_owned(),
        advanced: false,
        threshold: 0.0,
    })?;
    Ok(())
}
