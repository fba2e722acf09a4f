//! Training and prediction: the part of the program that has tensors.

mod cascade;
mod case;
mod case_inference;
mod check;
mod checkpoints;
mod components;
mod devices;
mod export;
mod families;
mod family;
mod fold_split;
mod fold_training;
mod memory_plan;
mod network;
mod on_device;
mod optimizer_state;
mod plugins_used;
mod predict;
mod process_end;
mod ranks;
pub mod signals;
mod torch_state;
mod train;
mod trainer_parameters;
mod trainers;
mod training_log;
mod unknown_trainer;
mod v1;
mod v2;
mod weights;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use nnunet_cli::commands::device::DeviceChoice;
use nnunet_cli::commands::{
    predict as predict_args, train as train_args, train_v2 as train_v2_args, trainers as trainers_args,
};
use nnunet_cli::doctor::Libtorch;
use nnunet_cli::{GlobalOptions, TensorCommands, report};
use nnunet_engine::component_set::ComponentSet;
use nnunet_engine::session::Session;
use nnunet_plugin_api::vocabulary::Blueprint;

// A statically linked crate that nobody names contributes nothing to the registry.
use nnunet_architectures as _;
use nnunet_heads as _;
use nnunet_losses as _;
use nnunet_metrics as _;
use nnunet_trainers as _;

/// `libtorch`: the CPU computes networks without operators of our own.
const CPU_OPERATORS: &str = "NNUNET_CPU_OPERATORS";

/// The program with tensors.
#[must_use]
pub fn main() -> ExitCode {
    process_end::skip_destructors();
    if let Err(error) = nnunet_torch_ops::keep_tensor_memory() {
        report::line(&format!("the memory of tensors is not kept: {error}"));
    }
    match std::env::var(CPU_OPERATORS).as_deref() {
        Err(_) | Ok("") => {}
        Ok("libtorch") => nnunet_torch_ops::use_libtorch_operators(),
        Ok(other) => {
            report::error(&anyhow!("{CPU_OPERATORS} is `{other}`; it may be `libtorch`, or not be set"));
            return ExitCode::from(2);
        }
    }
    nnunet_cli::main(&WithTensors)
}

/// The commands that need tensors, run in this process.
#[derive(Debug)]
pub struct WithTensors;

impl TensorCommands for WithTensors {
    fn component_set(&self) -> ComponentSet {
        components::WITH_TENSORS
    }

    fn train(&self, args: &train_args::Args, options: &GlobalOptions) -> Result<ExitCode> {
        // Before plugins are loaded: threads inherit the blocked signals.
        train::signals::listen()?;
        v1::training::run(args, &options.session(self.component_set())?)
    }

    fn train_v2(&self, args: &train_v2_args::Args, options: &GlobalOptions) -> Result<ExitCode> {
        train::signals::listen()?;
        v2::training::run(args, &options.session(self.component_set())?)
    }

    fn predict(&self, args: &predict_args::Args, options: &GlobalOptions) -> Result<ExitCode> {
        predict::run(args, &options.session(self.component_set())?).map(|()| ExitCode::SUCCESS)
    }

    fn trainers(&self, args: &trainers_args::Args, options: &GlobalOptions) -> Result<ExitCode> {
        trainers::run(args, &options.session(self.component_set())?).map(|()| ExitCode::SUCCESS)
    }

    fn trainer_settings(&self, name: &str, session: &Session) -> Result<Blueprint> {
        trainers::settings(session, name)
    }

    fn check_plugin(&self, file: &Path) -> Result<ExitCode> {
        check::run(file).map(|()| ExitCode::SUCCESS)
    }

    fn libtorch(&self, device: DeviceChoice) -> Result<Libtorch> {
        Ok(devices::facts(device))
    }
}
