//! Data sets from v1's tasks and from the decathlon's, and back.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::v2::convert::{from_decathlon, from_task, to_task};
use nnunet_data::v2::{Folders, RawDataset};
use nnunet_data::{folders as v1, v2};
use nnunet_engine::session::Session;

use super::effort::default_processes;
use crate::report;

/// Arguments of `nnUNetv2_convert_old_nnUNet_dataset`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Old {
    /// Folder of the task, with imagesTr, labelsTr and dataset.json.
    #[arg(value_name = "TASK_FOLDER")]
    input: PathBuf,
    /// Name of the data set, DatasetXXX_NAME.
    #[arg(value_name = "DATASET_NAME")]
    output: String,
}

/// Arguments of `nnUNetv2_convert_MSD_dataset`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Msd {
    /// Folder of the Decathlon task, TaskXX_NAME.
    #[arg(short = 'i', required = true, value_name = "FOLDER")]
    input: PathBuf,
    /// Number of the data set, instead of the task's.
    #[arg(long = "overwrite_id", value_name = "ID")]
    id: Option<u32>,
    /// Images at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
}

/// Arguments of `convert_to_task`, which v2 does not have.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct ToTask {
    /// Data set, by number or name.
    #[arg(short = 'd', required = true, value_name = "DATASET")]
    dataset: String,
    /// Folder that the task is put into; v1's folder of raw tasks by default.
    #[arg(short = 'o', value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn run_old(args: &Old) -> Result<()> {
    let made = from_task(&args.input, &args.output, &Folders::from_environment())?;
    report::line(&format!("wrote {}", made.display()));
    Ok(())
}

pub(super) fn run_msd(args: &Msd) -> Result<()> {
    let threads = args.processes.unwrap_or_else(default_processes);
    let made = from_decathlon(&args.input, args.id, &Folders::from_environment(), threads)?;
    report::line(&format!("wrote {}", made.display()));
    Ok(())
}

pub(super) fn run_to_task(args: &ToTask, session: &Session) -> Result<()> {
    let folders = v2::Folders::from_environment();
    let raw = RawDataset::load(&folders.raw()?.join(folders.dataset_name(&args.dataset)?))?;
    let root = args.output.clone().map_or_else(|| v1::Folders::new(&session.files).raw(), Ok)?;
    let made = to_task(&raw, None, &root)?;
    report::line(&format!("wrote {}", made.display()));
    Ok(())
}
