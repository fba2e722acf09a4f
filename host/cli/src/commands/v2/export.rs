//! `nnUNetv2_export_model_to_zip`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::exchange::{ExportV2, export_v2};
use nnunet_data::folders::create;
use nnunet_data::v2::Folders;

use crate::arguments::fold;
use crate::report;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set, by number or name.
    #[arg(short = 'd', required = true, value_name = "DATASET")]
    dataset: String,
    /// The archive to write; one that exists is replaced.
    #[arg(short = 'o', required = true, value_name = "FILE")]
    output: PathBuf,
    /// Configurations.
    #[arg(short = 'c', num_args = 1.., default_values = ["3d_lowres", "3d_fullres", "2d", "3d_cascade_fullres"])]
    #[arg(value_name = "NAME")]
    configurations: Vec<String>,
    /// Name of the trainer.
    #[arg(long = "tr", default_value = "nnUNetTrainer", value_name = "NAME")]
    trainer: String,
    /// Name of the plans.
    #[arg(short = 'p', default_value = "nnUNetPlans", value_name = "NAME")]
    plans: String,
    /// Folds, or all.
    #[arg(short = 'f', num_args = 1.., default_values = ["0", "1", "2", "3", "4"], value_name = "FOLD", value_parser = fold)]
    folds: Vec<String>,
    /// Names of the checkpoints.
    #[arg(long = "chk", num_args = 1.., default_values = ["checkpoint_final.pth"], value_name = "NAME")]
    checkpoints: Vec<String>,
    /// Leave out configurations that are missing.
    #[arg(long)]
    not_strict: bool,
    /// Export the label maps of the cross-validation too.
    #[arg(long)]
    exp_cv_preds: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let folders = Folders::from_environment();
    let what = ExportV2 {
        results: folders.results()?.to_owned(),
        dataset: folders.dataset_name(&args.dataset)?,
        model: format!("{}__{}", args.trainer, args.plans),
        configurations: args.configurations.clone(),
        folds: args.folds.clone(),
        checkpoints: args.checkpoints.clone(),
        strict: !args.not_strict,
        cross_validation: args.exp_cv_preds,
    };
    if let Some(folder) = args.output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create(folder)?;
    }
    let files = export_v2(&what, &args.output).context("nothing was exported")?;
    report::line(&format!("exported {files} files to {}", args.output.display()));
    Ok(())
}
