//! `train_all`: the folds of several configurations as one job.

mod emit;
mod request;
mod schedule;
mod training_process;

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Result;

use self::emit::Format;
use self::request::Request;
use super::device::DeviceChoice;
use crate::arguments::fold;
use crate::global_options::GlobalOptions;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Task of v1 or data set of v2, by name or number.
    task: String,
    /// Configurations; those of the plans, by default.
    #[arg(short = 'm', long = "models", num_args = 1.., value_name = "CONFIGURATION")]
    configurations: Vec<String>,
    /// Folds, or all.
    #[arg(
        short = 'f', long = "folds", num_args = 1.., default_values = ["0", "1", "2", "3", "4"], value_parser = fold
    )]
    folds: Vec<String>,
    /// Trainer; nnUNetTrainerV2 by default, and nnUNetTrainer of a data set of v2.
    #[arg(long = "tr", value_name = "NAME")]
    trainer: Option<String>,
    /// Trainer of v1's cascade; nnUNetTrainerV2CascadeFullRes by default.
    #[arg(long = "ctr", value_name = "NAME")]
    cascade_trainer: Option<String>,
    /// Name of the plans; nnUNetPlansv2.1 by default, and nnUNetPlans of a data set of v2.
    #[arg(short = 'p', long = "pl", value_name = "NAME")]
    plans: Option<String>,
    /// Where networks are trained, separated by commas: cuda:0,cuda:1 trains two folds at a time. A device is auto, cpu,
    /// cuda or cuda:N.
    #[arg(long, value_delimiter = ',', default_value = "auto", value_name = "DEVICES")]
    devices: Vec<DeviceChoice>,
    /// Trainings at a time; as many as there are devices, by default. With more, devices are shared.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Do not look for the best configuration at the end.
    #[arg(long = "no_best")]
    no_best: bool,
    /// Print a script that does the same instead of doing it: array jobs with dependencies for SLURM, or one after the
    /// other for sh.
    #[arg(long, value_enum, value_name = "FORMAT")]
    emit: Option<Format>,
    /// Arguments of every training, after --.
    #[arg(last = true, value_name = "ARGUMENTS")]
    training: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if the task or its plans are missing, or one that names the jobs that failed.
pub(crate) fn run(args: &Args, options: &GlobalOptions) -> Result<ExitCode> {
    let request = Request::new(args, &options.folders())?;
    if let Some(format) = args.emit {
        report::result(emit::script(&request, format, options).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let places = args.jobs.map_or(args.devices.len(), NonZeroUsize::get);
    let devices: Vec<DeviceChoice> = args.devices.iter().copied().cycle().take(places).collect();
    schedule::run(&request, &devices, options)
}
