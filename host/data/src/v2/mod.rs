//! nnU-Net v2 as far as it needs no network: folders, data sets, fingerprints, plans, preprocessed cases, the readers
//! that plans name, and kept probabilities.

mod blocks;
mod case_summaries;
pub mod convert;
mod dataset;
mod ensemble;
mod evaluation;
mod fingerprint;
mod folders;
mod planning;
mod plans;
mod postprocessing;
mod preprocessing;
mod properties;
mod raw;
mod reader;
pub mod selection;
mod splits;
mod store;

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

pub use dataset::{Dataset, is_wide};
pub use ensemble::Ensemble;
pub use evaluation::{Evaluation, MeanDice, evaluate, key as class_key};
pub use fingerprint::{extract_fingerprint, extract_part};
pub use folders::{DatasetFolders, Folders};
pub use nnunet_preprocessing::v2::Class;
pub use planning::{move_plans, plan};
pub use plans::{DataConfiguration, PlansFile, ResamplingPlan};
pub use postprocessing::{Postprocessing, Target};
pub use preprocessing::{Job, copy_reference_labels, preprocess};
pub use properties::properties_to_pickle;
pub use raw::{CaseFiles, RawDataset};
pub use reader::Reader;
pub use splits::{load_splits, prepare_splits, save_splits};
pub use store::{Store, load_case, load_labels, save_labels, stored_cases, stored_shape, unpack_case};

/// Whether a folder is a model of v2, or has its predictions: `plans.json` with configurations, and `dataset.json`.
#[must_use]
pub fn is_v2(folder: &Path) -> bool {
    let has_configurations = || -> Option<bool> {
        let plans: Value = load(&folder.join("plans.json")).ok()?;
        Some(plans.get("configurations").is_some())
    };
    folder.join("dataset.json").is_file() && has_configurations() == Some(true)
}

/// Whether a folder has a raw data set of v2: `dataset.json` with `channel_names`, or with names of labels as keys, where
/// v1 has their numbers.
#[must_use]
pub fn is_dataset(folder: &Path) -> bool {
    let Ok(Value::Object(found)) = load(&folder.join("dataset.json")) else { return false };
    let labels = found.get("labels").and_then(Value::as_object);
    found.contains_key("channel_names")
        || labels.is_some_and(|labels| labels.keys().any(|key| key.trim().parse::<i64>().is_err()))
}

/// Reads a JSON file.
///
/// # Errors
/// Returns an I/O error, or an error for a value that is missing or of another type.
pub fn load<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = nnunet_formats::input::read_text(path)?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
