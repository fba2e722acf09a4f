//! `nnUNetv2_apply_postprocessing`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::folders::{copy_file, create};
use nnunet_data::v2::Postprocessing;
use nnunet_data::{failures, images};

use super::effort::default_processes;
use crate::report;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Folder of label maps.
    #[arg(short = 'i', required = true, value_name = "FOLDER")]
    input: PathBuf,
    /// Folder for the result.
    #[arg(short = 'o', required = true, value_name = "FOLDER")]
    output: PathBuf,
    /// postprocessing.pkl or postprocessing.json; functions it names are looked up, nothing in it is executed.
    #[arg(long, required = true, value_name = "FILE")]
    pp_pkl_file: PathBuf,
    /// Files at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Plans of the predictions; by default plans.json beside them. They are copied.
    #[arg(long, value_name = "FILE")]
    plans_json: Option<PathBuf>,
    /// dataset.json of the predictions; by default the one beside them. It is copied.
    #[arg(long, value_name = "FILE")]
    dataset_json: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let postprocessing = Postprocessing::load(&args.pp_pkl_file)?;
    create(&args.output)?;
    for (given, name) in [(&args.plans_json, "plans.json"), (&args.dataset_json, "dataset.json")] {
        let from = given.clone().unwrap_or_else(|| args.input.join(name));
        if given.is_some() || from.is_file() {
            copy_file(&from, &args.output.join(name)).context("the predictions' own files")?;
        }
    }
    let threads = args.processes.unwrap_or_else(default_processes);
    let names = images::list(&args.input)?;
    let apply = |name: &String| postprocessing.apply_to_file(&args.input.join(name), &args.output.join(name));
    failures::threads(threads)?.install(|| failures::each("cases failed", &names, apply))?;
    report::line(&format!("wrote {}", args.output.display()));
    Ok(())
}
