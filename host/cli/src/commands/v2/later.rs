//! Commands of v2 that do not exist here yet. Their arguments are v2's, so that scripts get this answer and not one about
//! an unknown flag.
#![allow(dead_code, reason = "the arguments are checked and not used yet")]

use std::path::PathBuf;

use anyhow::{Result, bail};

/// Configurations that models are looked for where none is named.
const CONFIGURATIONS: [&str; 4] = ["2d", "3d_fullres", "3d_lowres", "3d_cascade_fullres"];
/// Folds where none is named.
const FOLDS: [&str; 5] = ["0", "1", "2", "3", "4"];

/// Arguments of `nnUNetv2_find_best_configuration`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct FindBestConfiguration {
    /// Data set, by number or name.
    dataset: String,
    /// Names of the plans.
    #[arg(short = 'p', num_args = 1.., default_values = ["nnUNetPlans"], value_name = "NAME")]
    plans: Vec<String>,
    /// Configurations.
    #[arg(short = 'c', num_args = 1.., default_values = CONFIGURATIONS, value_name = "NAME")]
    configurations: Vec<String>,
    /// Names of the trainers.
    #[arg(long = "tr", num_args = 1.., default_values = ["nnUNetTrainer"], value_name = "NAME")]
    trainers: Vec<String>,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Folds.
    #[arg(short = 'f', num_args = 1.., default_values = FOLDS, value_name = "FOLD")]
    folds: Vec<String>,
    /// No ensembles.
    #[arg(long)]
    disable_ensembling: bool,
    /// Keep what earlier runs have written.
    #[arg(long)]
    no_overwrite: bool,
}

/// Arguments of `nnUNetv2_determine_postprocessing`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct DeterminePostprocessing {
    /// Folder of predictions.
    #[arg(short = 'i', required = true, value_name = "FOLDER")]
    input: PathBuf,
    /// Folder of the references.
    #[arg(long = "ref", required = true, value_name = "FOLDER")]
    references: PathBuf,
    /// Plans of the predictions; by default plans.json beside them.
    #[arg(long, value_name = "FILE")]
    plans_json: Option<PathBuf>,
    /// dataset.json of the predictions; by default the one beside them.
    #[arg(long, value_name = "FILE")]
    dataset_json: Option<PathBuf>,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Remove the label maps after postprocessing.
    #[arg(long)]
    remove_postprocessed: bool,
}

/// Arguments of `nnUNetv2_accumulate_crossval_results`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct AccumulateCrossvalResults {
    /// Data set, by number or name.
    dataset: String,
    /// Configuration of the plans.
    #[arg(short = 'c', required = true, value_name = "NAME")]
    configuration: String,
    /// Folder for the result; by default one in the model's folder.
    #[arg(short = 'o', value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Folds.
    #[arg(short = 'f', num_args = 1.., default_values = FOLDS, value_name = "FOLD")]
    folds: Vec<String>,
    /// Name of the plans.
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    plans: String,
    /// Name of the trainer.
    #[arg(long = "tr", default_value = "nnUNetTrainer", value_name = "NAME")]
    trainer: String,
}

pub(super) fn refuse(name: &str) -> Result<()> {
    bail!(
        "nnUNetv2_{name} is not available yet; use the command of nnU-Net v2, which reads the data and plans made here"
    )
}
