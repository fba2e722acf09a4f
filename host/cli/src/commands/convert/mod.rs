//! `convert`: models, plans and data sets from v1 to v2 and back.

mod dataset;
mod generation;
mod model;
mod plans;

use anyhow::Result;

use super::TensorCommands;
use crate::global_options::GlobalOptions;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
#[command(rename_all = "snake_case", infer_long_args = true)]
enum Command {
    /// Convert a trained model.
    Model(model::Args),
    /// Convert the plans of a data set.
    Plans(plans::Args),
    /// Convert a raw data set.
    Dataset(dataset::Args),
}

/// Runs the command.
///
/// # Errors
/// Returns an error for what the other generation does not have, or an I/O error.
pub(crate) fn run(args: &Args, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<()> {
    match &args.command {
        Command::Model(args) => model::run(args, options, tensors),
        Command::Plans(args) => plans::run(args, options),
        Command::Dataset(args) => dataset::run(args, options),
    }
}
