//! `nnUNetv2_accumulate_crossval_results`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use nnunet_data::failures;
use nnunet_data::folders::file_names;
use nnunet_data::v2::Folders;
use nnunet_data::v2::selection::{CrossValidation, ModelName, accumulate, merged_folder};

use super::effort::{FOLDS, default_processes};
use crate::arguments::fold;
use crate::report;

/// Arguments of `nnUNetv2_accumulate_crossval_results`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set, by number or name.
    dataset: String,
    /// Configuration of the plans.
    #[arg(short = 'c', required = true, value_name = "NAME")]
    configuration: String,
    /// Folder for the result; by default one in the model's folder.
    #[arg(short = 'o', value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Folds.
    #[arg(short = 'f', num_args = 1.., default_values = FOLDS, value_name = "FOLD", value_parser = fold)]
    folds: Vec<String>,
    /// Name of the plans.
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    plans: String,
    /// Name of the trainer.
    #[arg(long = "tr", default_value = "nnUNetTrainer", value_name = "NAME")]
    trainer: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let folders = Folders::from_environment();
    let name = ModelName {
        trainer: args.trainer.clone(),
        plans: args.plans.clone(),
        configuration: args.configuration.clone(),
    };
    let model = name.folder(&folders.dataset_name(&args.dataset)?, &folders)?;
    ensure!(model.is_dir(), "there is no model at {}", model.display());
    let output = match &args.output {
        Some(output) => {
            let is_empty = !output.is_dir() || file_names(output, "")?.is_empty();
            ensure!(is_empty, "{} is not empty; name a folder that is", output.display());
            output.clone()
        }
        None => merged_folder(&model, &args.folds),
    };
    let what = CrossValidation { model, output: output.clone(), folds: args.folds.clone(), overwrite: true };
    failures::threads(default_processes())?.install(|| accumulate(&what, &folders))?;
    report::line(&format!("wrote {}", output.display()));
    Ok(())
}
