//! `aliases`: links with the command names of v1 and v2, so that their scripts run unchanged.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::folders;

use super::v2;
use crate::report;

/// v1's console commands.
const COMMANDS: [&str; 18] = [
    "nnUNet_convert_decathlon_task",
    "nnUNet_plan_and_preprocess",
    "nnUNet_train",
    "nnUNet_train_DP",
    "nnUNet_train_DDP",
    "nnUNet_predict",
    "nnUNet_ensemble",
    "nnUNet_find_best_configuration",
    "nnUNet_print_available_pretrained_models",
    "nnUNet_print_pretrained_model_info",
    "nnUNet_download_pretrained_model",
    "nnUNet_download_pretrained_model_by_url",
    "nnUNet_determine_postprocessing",
    "nnUNet_export_model_to_zip",
    "nnUNet_install_pretrained_model_from_zip",
    "nnUNet_change_trainer_class",
    "nnUNet_evaluate_folder",
    "nnUNet_plot_task_pngs",
];

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the links; add it to your PATH.
    #[arg(long)]
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Returns an I/O error.
pub(crate) fn run(args: &Args) -> Result<()> {
    folders::create(&args.dir)?;
    let program = std::env::current_exe()?;
    let v2 = v2::COMMANDS.iter().map(|name| format!("{}{name}", v2::PREFIX));
    for name in COMMANDS.iter().map(ToString::to_string).chain(v2) {
        let link = args.dir.join(&name);
        if link.is_symlink() {
            std::fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&program, &link).with_context(|| link.display().to_string())?;
        report::line(&link.display().to_string());
    }
    Ok(())
}
