//! The commands: one file each, with its arguments and `run`. Of the commands that need tensors there are only the
//! arguments here; their work is done by an implementation of [`TensorCommands`].

pub(crate) mod aliases;
pub(crate) mod apply_postprocessing;
pub(crate) mod audit;
pub(crate) mod change_trainer_class;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod convert_decathlon_task;
pub(crate) mod determine_postprocessing;
pub mod device;
pub mod doctor;
pub(crate) mod download;
pub(crate) mod ensemble;
pub(crate) mod evaluate_folder;
pub(crate) mod example_dataset;
pub(crate) mod export_model_to_zip;
pub(crate) mod find_best_configuration;
pub(crate) mod ingest;
pub(crate) mod install_pretrained_model_from_zip;
pub(crate) mod launch;
pub(crate) mod man_pages;
pub(crate) mod models;
pub(crate) mod picture;
pub(crate) mod plan_and_preprocess;
pub(crate) mod plans;
pub(crate) mod plot_task_pngs;
pub mod plugins;
pub mod postprocessing_choice;
pub mod predict;
pub(crate) mod pretrained;
pub(crate) mod report;
pub(crate) mod setup;
pub(crate) mod split;
pub(crate) mod tensor_commands;
pub mod train;
pub(crate) mod train_all;
pub mod train_parallel;
pub mod train_v2;
pub mod trainers;
pub mod v2;
pub(crate) mod verify;

use anyhow::Result;
use clap::Subcommand;
use nnunet_engine::config::Choices;

pub use tensor_commands::TensorCommands;

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
    /// Start a training as several processes of this machine, which share its batches.
    Launch(launch::Args),
    /// Train the folds of several configurations, and find the best configuration.
    TrainAll(train_all::Args),
    /// List trainers, show a trainer's resolved settings, or compare two.
    Trainers(trainers::Args),
    /// List trained models and their folds.
    Models(models::Args),
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
    /// Make a raw task of images and masks in other formats, or of DICOM series.
    Ingest(ingest::Args),
    /// Convert models, plans and data sets between nnU-Net v1 and v2.
    Convert(convert::Args),
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
    /// Download a published model and install it.
    DownloadPretrainedModel(download::Named),
    /// Download the archive of a model from a URL and install it.
    DownloadPretrainedModelByUrl(download::Url),
    /// Create a small synthetic task for trying things out.
    ExampleDataset(example_dataset::Args),
    /// Make the folds of a cross-validation: plain, by group, stratified, leave-one-out.
    Split(split::Args),
    /// Draw image, reference and prediction of cases side by side.
    Picture(picture::Args),
    /// Write a report of predictions or of a trained model as one HTML page.
    Report(report::Args),
    /// Inspect an untrusted file without executing any of it.
    Audit(audit::Args),
    /// Show the effective configuration and where each value comes from.
    Config(config::Args),
    /// List, inspect, create, check and install plugins.
    Plugins(plugins::Args),
    /// Check this machine: libtorch, GPUs, memory, folders and plugins.
    Doctor(doctor::Args),
    /// Install libtorch for this user, if none is found.
    Setup(setup::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Write man pages of all commands.
    ManPages(man_pages::Args),
    /// Create links with the command names of v1 and v2.
    Aliases(aliases::Args),
    /// The commands of nnU-Net v2.
    #[command(subcommand)]
    V2(v2::Command),
}

impl Command {
    /// Takes arguments that are not given from the configuration files.
    pub(crate) fn complete(&mut self, choices: &Choices) -> Result<()> {
        match self {
            Self::Predict(args) => {
                args.complete();
                Ok(())
            }
            Self::Train(args) => args.complete(choices),
            Self::TrainDp(args) => args.train.complete(choices),
            Self::TrainDdp(args) => args.train.complete(choices),
            _ => Ok(()),
        }
    }
}
