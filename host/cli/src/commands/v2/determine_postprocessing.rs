//! `nnUNetv2_determine_postprocessing`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use nnunet_data::failures;
use nnunet_data::label_names::LabelNames;
use nnunet_data::v2::selection::{Determination, determine};

use super::effort::default_processes;
use crate::report;

/// Arguments of `nnUNetv2_determine_postprocessing`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
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

pub(super) fn run(args: &Args) -> Result<()> {
    if let Some(plans) = &args.plans_json {
        ensure!(plans.is_file(), "{} does not exist", plans.display());
    }
    let how = Determination {
        predictions: args.input.clone(),
        references: args.references.clone(),
        dataset: args.dataset_json.clone().unwrap_or_else(|| args.input.join("dataset.json")),
        keep: !args.remove_postprocessed,
    };
    let pool = failures::threads(args.processes.unwrap_or_else(default_processes))?;
    let found = pool.install(|| determine(&how))?;
    let found_steps = found.postprocessing.describe(&LabelNames::load(&how.dataset));
    let [before, after] = found.dice;
    report::line(&format!(
        "{found_steps}: mean Dice {before:.5}, {after:.5} afterwards; {}",
        args.input.join("postprocessing.pkl").display()
    ));
    Ok(())
}
