//! The commands: one file each, with its arguments and `run`. Those that need tensors have their arguments here; the work
//! is done by [`TensorCommands`].

mod aliases;
mod apply_postprocessing;
mod audit;
mod change_trainer_class;
mod config;
mod convert_decathlon_task;
mod determine_postprocessing;
pub mod device;
pub mod doctor;
mod ensemble;
mod evaluate_folder;
mod example_dataset;
mod export_model_to_zip;
mod find_best_configuration;
mod install_pretrained_model_from_zip;
mod picture;
mod plan_and_preprocess;
mod plans;
mod plot_task_pngs;
pub mod plugins;
pub mod postprocessing_choice;
pub mod predict;
mod pretrained;
pub mod train;
pub mod train_parallel;
pub mod trainers;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use nnunet_engine::config::Choices;

use crate::cli::Cli;
use crate::tensor_commands::TensorCommands;

/// The commands, under v1's names.
#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case", infer_long_args = true)]
pub enum Command {
    /// Crop, analyze, plan and preprocess tasks.
    PlanAndPreprocess(plan_and_preprocess::Args),
    /// Check a raw task for errors, and repair a copy of it.
    Verify(verify::Args),
    /// Show, change and compare plans.
    Plans(plans::Args),
    /// Train a model on a fold.
    Train(train::Args),
    /// Train a model on a fold, with the arguments of v1's DataParallel training.
    #[command(name = "train_DP", alias = "train_dp")]
    TrainDp(train_parallel::DataParallel),
    /// Train a model on a fold, with the arguments of v1's distributed training.
    #[command(name = "train_DDP", alias = "train_ddp")]
    TrainDdp(train_parallel::Distributed),
    /// List trainers, show a trainer's resolved settings, or compare two.
    Trainers(trainers::Args),
    /// Predict a folder of images.
    Predict(Box<predict::Args>),
    /// Average the predicted probabilities of several models.
    Ensemble(ensemble::Args),
    /// Determine the best postprocessing.
    DeterminePostprocessing(determine_postprocessing::Args),
    /// Apply a postprocessing to a folder of label maps.
    ApplyPostprocessing(apply_postprocessing::Args),
    /// Find the best model or ensemble of two models by cross-validation.
    FindBestConfiguration(find_best_configuration::Args),
    /// Compute metrics of a folder of predictions against reference segmentations.
    EvaluateFolder(evaluate_folder::Args),
    /// Convert a task of the Medical Segmentation Decathlon to a raw task.
    ConvertDecathlonTask(convert_decathlon_task::Args),
    /// Draw the slice with most foreground of every case of a task.
    PlotTaskPngs(plot_task_pngs::Args),
    /// Export trained models to a zip archive.
    ExportModelToZip(export_model_to_zip::Args),
    /// Install a model exported by export_model_to_zip.
    InstallPretrainedModelFromZip(install_pretrained_model_from_zip::Args),
    /// Change the trainer named in a model's checkpoints.
    ChangeTrainerClass(change_trainer_class::Args),
    /// List the pretrained models published by the authors of nnU-Net.
    PrintAvailablePretrainedModels(pretrained::Available),
    /// Describe a published pretrained model.
    PrintPretrainedModelInfo(pretrained::Named),
    /// Show where to download a published model and how to install it.
    DownloadPretrainedModel(pretrained::Named),
    /// Show how to install a model from a URL.
    DownloadPretrainedModelByUrl(pretrained::Url),
    /// Create a small synthetic task for trying things out.
    ExampleDataset(example_dataset::Args),
    /// Draw image, reference and prediction of cases side by side.
    Picture(picture::Args),
    /// Inspect an untrusted file without executing any of it.
    Audit(audit::Args),
    /// Show the effective configuration and where each value comes from.
    Config(config::Args),
    /// List, inspect, create, check and install plugins.
    Plugins(plugins::Args),
    /// Check this machine: libtorch, GPUs, memory, folders and plugins.
    Doctor(doctor::Args),
    /// Create links with v1's command names.
    Aliases(aliases::Args),
}

impl Command {
    /// Takes what the command line leaves out from the configuration files.
    pub(crate) fn complete(&mut self, choices: &Choices) -> Result<()> {
        match self {
            Self::Train(args) => args.complete(choices),
            Self::TrainDp(args) => args.train.complete(choices),
            Self::TrainDdp(args) => args.train.complete(choices),
            _ => Ok(()),
        }
    }
}

/// Runs a command.
///
/// # Errors
/// Returns the error of the command.
pub(crate) fn run(cli: &Cli, tensors: &impl TensorCommands) -> Result<ExitCode> {
    let session = || cli.session(tensors.component_set());
    let done = match &cli.command {
        Command::Train(args) => return tensors.train(args, cli),
        Command::TrainDp(args) => return tensors.train(args.on_one_device()?, cli),
        Command::TrainDdp(args) => return tensors.train(args.on_one_device()?, cli),
        Command::Predict(args) => return tensors.predict(args, cli),
        Command::Trainers(args) => return tensors.trainers(args, cli),
        Command::PlanAndPreprocess(args) => plan_and_preprocess::run(args, &session()?),
        Command::Audit(args) => audit::run(args),
        Command::Plans(args) => plans::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Ensemble(args) => ensemble::run(args, &session()?),
        Command::DeterminePostprocessing(args) => determine_postprocessing::run(args),
        Command::ApplyPostprocessing(args) => apply_postprocessing::run(args, &session()?),
        Command::FindBestConfiguration(args) => find_best_configuration::run(args),
        Command::EvaluateFolder(args) => evaluate_folder::run(args),
        Command::ExampleDataset(args) => example_dataset::run(args),
        Command::Picture(args) => picture::run(args),
        Command::ConvertDecathlonTask(args) => convert_decathlon_task::run(args),
        Command::PlotTaskPngs(args) => plot_task_pngs::run(args),
        Command::ExportModelToZip(args) => export_model_to_zip::run(args),
        Command::InstallPretrainedModelFromZip(args) => install_pretrained_model_from_zip::run(args),
        Command::ChangeTrainerClass(args) => change_trainer_class::run(args),
        Command::PrintAvailablePretrainedModels(args) => pretrained::print_available(args),
        Command::PrintPretrainedModelInfo(args) => pretrained::print_info(args),
        Command::DownloadPretrainedModel(args) => pretrained::download(args),
        Command::DownloadPretrainedModelByUrl(args) => pretrained::download_by_url(args),
        Command::Config(args) => config::run(args, cli),
        Command::Plugins(args) => return plugins::run(args, cli, tensors),
        Command::Doctor(args) => return doctor::run(args, cli, tensors),
        Command::Aliases(args) => aliases::run(args),
    };
    done.map(|()| ExitCode::SUCCESS)
}
