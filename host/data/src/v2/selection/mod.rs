//! What follows the training of several models of v2: their cross-validations collected and evaluated, the best model or
//! ensemble of two, and its postprocessing.

mod best;
mod candidate;
mod cross_validation;
mod determine;
mod ensembles;
mod inference;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Dataset, Evaluation, Folders, PlansFile};

pub use best::{Found, find_best};
pub use candidate::{Candidate, Search};
pub use cross_validation::{CrossValidation, accumulate};
pub use determine::{Determination, Determined, determine};

/// The file of metrics in a folder of predictions.
const SUMMARY: &str = "summary.json";
/// Copied from a model to the folder of what it predicts.
const DESCRIPTIONS: [&str; 2] = ["dataset.json", "plans.json"];

/// The name of a model of v2: `TRAINER__PLANS__CONFIGURATION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName {
    /// Trainer.
    pub trainer: String,
    /// Plans.
    pub plans: String,
    /// Configuration of the plans.
    pub configuration: String,
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}__{}__{}", self.trainer, self.plans, self.configuration)
    }
}

impl ModelName {
    /// The model's folder.
    ///
    /// # Errors
    /// Returns an error if the folder of trained models is not set.
    pub fn folder(&self, dataset: &str, folders: &Folders) -> Result<PathBuf> {
        Ok(folders.results()?.join(dataset).join(self.to_string()))
    }
}

/// The folder in a model that its cross-validation is collected in.
#[must_use]
pub fn merged_folder(model: &Path, folds: &[String]) -> PathBuf {
    model.join(format!("crossval_results_folds_{}", folds.join("_")))
}

/// The folder of a fold's validation.
fn validation(model: &Path, fold: &str) -> PathBuf {
    model.join(format!("fold_{fold}")).join("validation")
}

/// What a folder of predictions, which has its `dataset.json`, is compared by.
fn evaluation(dataset: &Dataset, references: &Path, predictions: &Path) -> Evaluation {
    Evaluation {
        references: references.to_owned(),
        predictions: predictions.to_owned(),
        file_ending: dataset.file_ending.clone(),
        classes: dataset.foreground(),
        ignore: dataset.ignore_label(),
        chill: true,
    }
}

/// The reference label maps of a data set that were copied when it was preprocessed.
fn references(dataset: &str, folders: &Folders) -> Result<PathBuf> {
    Ok(folders.preprocessed()?.join(dataset).join("gt_segmentations"))
}

/// The mean Dice of the foreground in a summary.
fn score(summary: &Path) -> Result<f64> {
    let summary_json = nnunet_formats::json::load(summary)?;
    let dice = summary_json.get("foreground_mean").and_then(|means| means.get("Dice")?.as_f64());
    dice.with_context(|| format!("{}: not a summary of v2", summary.display()))
}

/// The stage before a configuration, for a cascade.
fn previous_stage(plans: &PlansFile, configuration: &str) -> Result<Option<String>> {
    #[derive(serde::Deserialize)]
    struct Stage {
        previous_stage: Option<String>,
    }
    Ok(plans.configuration_as::<Stage>(configuration)?.previous_stage)
}
