//! Arguments of `train_all`.

use std::num::NonZeroUsize;

use crate::arguments::fold;
use crate::commands::device::DeviceChoice;

/// The kind of script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Submits array jobs with `sbatch`.
    Slurm,
    /// Runs one command after the other.
    Sh,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Task of v1 or data set of v2, by name or number.
    pub(super) task: String,
    /// Configurations; those of the plans, by default.
    #[arg(short = 'm', long = "models", num_args = 1.., value_name = "CONFIGURATION")]
    pub(super) configurations: Vec<String>,
    /// Folds, or all.
    #[arg(
        short = 'f', long = "folds", num_args = 1.., default_values = ["0", "1", "2", "3", "4"], value_parser = fold
    )]
    pub(super) folds: Vec<String>,
    /// Trainer; nnUNetTrainerV2 by default, and nnUNetTrainer of a data set of v2.
    #[arg(long = "tr", value_name = "NAME")]
    pub(super) trainer: Option<String>,
    /// Trainer of v1's cascade; nnUNetTrainerV2CascadeFullRes by default.
    #[arg(long = "ctr", value_name = "NAME")]
    pub(super) cascade_trainer: Option<String>,
    /// Name of the plans; nnUNetPlansv2.1 by default, and nnUNetPlans of a data set of v2.
    #[arg(short = 'p', long = "pl", value_name = "NAME")]
    pub(super) plans: Option<String>,
    /// Where networks are trained, separated by commas: cuda:0,cuda:1 trains two folds at a time. A device is auto, cpu,
    /// cuda or cuda:N.
    #[arg(long, value_delimiter = ',', default_value = "auto", value_name = "DEVICES")]
    pub(super) devices: Vec<DeviceChoice>,
    /// Trainings at a time; as many as there are devices, by default. With more, devices are shared.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Do not look for the best configuration at the end.
    #[arg(long = "no_best")]
    pub(super) no_best: bool,
    /// Print a script that does the same instead of doing it: array jobs with dependencies for SLURM, or one after the
    /// other for sh.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) emit: Option<Format>,
    /// Arguments of every training, after --.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(super) training: Vec<String>,
}
