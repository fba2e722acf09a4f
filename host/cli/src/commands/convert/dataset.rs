//! `convert dataset`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nnunet_data::v2::convert::{from_task, to_task};
use nnunet_data::v2::{Folders, RawDataset};

use super::generation::{Generation, other_name};
use crate::global_options::GlobalOptions;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub(super) struct Args {
    /// Generation to convert to.
    #[arg(long, value_enum)]
    to: Generation,
    /// Task of v1, by number, name or folder; or data set of v2, by number or name.
    #[arg(short = 'i', required = true, value_name = "NAME")]
    input: String,
    /// Name of the new data set; by default the same number and name.
    #[arg(short = 'd', value_name = "NAME")]
    name: Option<String>,
    /// Folder that a task is put into; v1's folder of raw tasks by default.
    #[arg(short = 'o', value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args, options: &GlobalOptions) -> Result<()> {
    let (v1, v2) = (options.folders(), Folders::from_environment());
    let made = match args.to {
        Generation::V2 => {
            ensure!(args.output.is_none(), "-o is for tasks of v1; data sets of v2 are put into nnUNet_raw");
            let given = PathBuf::from(&args.input);
            let task = match given.is_dir() {
                true => given,
                false => v1.raw()?.join(v1.task_name(&args.input)?),
            };
            let own = task.file_name().context("the task's folder has no name")?.to_string_lossy();
            let name = args.name.clone().unwrap_or_else(|| other_name(&own));
            from_task(&task, &name, &v2)?
        }
        Generation::V1 => {
            let raw = RawDataset::load(&v2.raw()?.join(v2.dataset_name(&args.input)?))?;
            to_task(&raw, args.name.as_deref(), &args.output.clone().map_or_else(|| v1.raw(), Ok)?)?
        }
    };
    report::line(&format!("wrote {}", made.display()));
    Ok(())
}
