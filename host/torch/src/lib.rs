//! Training and prediction: the part of the program that has tensors.

mod cascade;
mod cases;
mod check;
mod checkpoint;
mod components;
mod debug;
mod devices;
mod journal;
mod model;
mod model_info;
mod network;
mod optimizer_state;
mod plateau;
mod predict;
mod split;
mod train;
mod trainers;
mod v2;
mod validate;

use std::process::ExitCode;

use anyhow::Result;
use nnunet_cli::commands::{self, Cli, Command};

// A statically linked crate that nobody names contributes nothing to the registry.
use nnunet_architectures as _;
use nnunet_losses as _;
use nnunet_trainers as _;

/// Runs any command.
///
/// # Errors
/// What the command returns.
pub fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Command::Train(args) => train::run(args, &cli.session(components::WITH_TENSORS)?),
        Command::TrainDp(args) => train::run(args.on_one_device()?, &cli.session(components::WITH_TENSORS)?),
        Command::TrainDdp(args) => train::run(args.on_one_device()?, &cli.session(components::WITH_TENSORS)?),
        Command::Predict(args) => {
            predict::run(args, &cli.session(components::WITH_TENSORS)?).map(|()| ExitCode::SUCCESS)
        }
        Command::Trainers(args) => {
            trainers::run(args, &cli.session(components::WITH_TENSORS)?).map(|()| ExitCode::SUCCESS)
        }
        Command::Plugins(args) => match args.check() {
            Some(check) => check::run(check).map(|()| ExitCode::SUCCESS),
            None => commands::run(cli, components::WITH_TENSORS).map(|()| ExitCode::SUCCESS),
        },
        _ => commands::run(cli, components::WITH_TENSORS).map(|()| ExitCode::SUCCESS),
    }
}
