//! `nnUNetv2_ensemble`.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_engine::session::Session;

use super::effort::default_processes;
use crate::commands::ensemble as common;
use crate::commands::postprocessing_choice::PostprocessingChoice;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Folders of predictions with npz and pkl files, made with --save_probabilities.
    #[arg(short = 'i', num_args = 1.., required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Folder for the result.
    #[arg(short = 'o', required = true, value_name = "FOLDER")]
    output: PathBuf,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Also write the mean probabilities.
    #[arg(long)]
    save_npz: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let all = common::Args {
        folders: args.folders.clone(),
        output: args.output.clone(),
        threads: args.processes.unwrap_or_else(default_processes).min(cores),
        postprocessing: PostprocessingChoice::models_own(),
        npz: args.save_npz,
    };
    common::run(&all, session)
}
