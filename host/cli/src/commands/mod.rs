//! The command line: one file a command, each with its arguments and `run`.

mod aliases;
mod apply_postprocessing;
mod arguments;
mod audit;
mod change_trainer_class;
mod config;
mod convert_decathlon_task;
mod defaults;
mod determine_postprocessing;
pub mod device;
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

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use nnunet_data::{folders, images};
use nnunet_engine::config::{choices, files};
use nnunet_engine::session::{ComponentSet, Session};

use crate::report::{self, Style};

pub use arguments::normalize;

/// nnU-Net as one program: configures, trains, selects and applies segmentation pipelines.
#[derive(Debug, Parser)]
#[command(name = "nnunet", version, infer_long_args = true)]
pub struct Cli {
    /// Print errors only.
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// Configuration file instead of ./nnunet.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Load a plugin; may be given several times.
    #[arg(long, global = true, value_name = "FILE")]
    pub plugin: Vec<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. Names are v1's; kebab-case works too.
#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case", infer_long_args = true)]
pub enum Command {
    /// Crop, analyse, plan and preprocess tasks.
    #[command(alias = "plan-and-preprocess")]
    PlanAndPreprocess(plan_and_preprocess::Args),
    /// Check a raw task, and repair a copy of it.
    Verify(verify::Args),
    /// Show, change and compare plans.
    Plans(plans::Args),
    /// Train a model on a fold.
    Train(train::Args),
    /// Train a model on a fold, called as v1's training on several devices.
    #[command(name = "train_DP", alias = "train-dp")]
    TrainDp(train_parallel::DataParallel),
    /// The same, called as v1's distributed training.
    #[command(name = "train_DDP", alias = "train-ddp")]
    TrainDdp(train_parallel::Distributed),
    /// Say what a trainer's name means.
    Trainers(trainers::Args),
    /// Predict a folder of images.
    Predict(Box<predict::Args>),
    /// Merge the predictions of several models.
    Ensemble(ensemble::Args),
    /// Find the postprocessing that pays.
    #[command(alias = "determine-postprocessing")]
    DeterminePostprocessing(determine_postprocessing::Args),
    /// Apply a postprocessing to a folder of label maps.
    #[command(alias = "apply-postprocessing")]
    ApplyPostprocessing(apply_postprocessing::Args),
    /// Find the best model, or pair of models.
    #[command(alias = "find-best-configuration")]
    FindBestConfiguration(find_best_configuration::Args),
    /// Compare a folder of predictions with its references.
    #[command(alias = "evaluate-folder")]
    EvaluateFolder(evaluate_folder::Args),
    /// Turn a task of the Medical Segmentation Decathlon into a raw task.
    #[command(alias = "convert-decathlon-task")]
    ConvertDecathlonTask(convert_decathlon_task::Args),
    /// Draw the fullest slice of every case of a task.
    #[command(alias = "plot-task-pngs")]
    PlotTaskPngs(plot_task_pngs::Args),
    /// Put trained models into one file for others.
    #[command(alias = "export-model-to-zip")]
    ExportModelToZip(export_model_to_zip::Args),
    /// Install such a file.
    #[command(alias = "install-pretrained-model-from-zip")]
    InstallPretrainedModelFromZip(install_pretrained_model_from_zip::Args),
    /// Name another trainer in a model's checkpoints.
    #[command(alias = "change-trainer-class")]
    ChangeTrainerClass(change_trainer_class::Args),
    /// List the models that v1's authors have published.
    #[command(alias = "print-available-pretrained-models")]
    PrintAvailablePretrainedModels(pretrained::Available),
    /// Describe a published model.
    #[command(alias = "print-pretrained-model-info")]
    PrintPretrainedModelInfo(pretrained::Named),
    /// Say where a published model lies and how to install it.
    #[command(alias = "download-pretrained-model")]
    DownloadPretrainedModel(pretrained::Named),
    /// Say how to install the model of an address.
    #[command(alias = "download-pretrained-model-by-url")]
    DownloadPretrainedModelByUrl(pretrained::Url),
    /// Make a small task of phantoms to try everything on.
    #[command(name = "example-dataset", alias = "example_dataset")]
    ExampleDataset(example_dataset::Args),
    /// Draw image, truth and prediction of cases side by side.
    Picture(picture::Args),
    /// Say what a file from elsewhere holds; nothing in it is run.
    Audit(audit::Args),
    /// Show what is set where, and what may be.
    Config(config::Args),
    /// List, inspect, make, check and install plugins.
    Plugins(plugins::Args),
    /// Make links with v1's command names.
    Aliases(aliases::Args),
}

impl Command {
    /// Whether the command needs tensors, and so the program that has them.
    #[must_use]
    pub fn needs_tensors(&self) -> bool {
        matches!(
            self,
            Command::Train(_)
                | Command::TrainDp(_)
                | Command::TrainDdp(_)
                | Command::Trainers(_)
                | Command::Predict(_)
        ) || matches!(self, Command::Plugins(args) if args.check().is_some())
    }
}

impl Cli {
    /// Parses the arguments of the process, in v1's style too, with the defaults of the project's configuration file.
    /// Wrong arguments end the process with code 2.
    ///
    /// # Errors
    /// A configuration file that cannot be used.
    pub fn from_process() -> Result<Self> {
        let words = process_arguments();
        let files = files(defaults::named_file(&words).as_deref())?;
        folders::set_from(&files);
        let choices = choices(&files);
        let command = defaults::with_choices(Self::command(), &choices);
        let matches = command.get_matches_from(words);
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        match &mut cli.command {
            Command::Train(args) => args.complete(&choices)?,
            Command::TrainDp(args) => args.train.complete(&choices)?,
            Command::TrainDdp(args) => args.train.complete(&choices)?,
            _ => {}
        }
        Ok(cli)
    }

    /// Sets how much is said.
    pub fn set_style(&self) {
        report::set_style(if self.json {
            Style::Json
        } else if self.quiet {
            Style::Quiet
        } else {
            Style::Human
        });
    }

    /// Fills the registry.
    ///
    /// # Errors
    /// A configuration file or plugin that cannot be used.
    pub fn session(&self, set: ComponentSet) -> Result<Session> {
        let session = Session::open(set, self.config.as_deref(), &self.plugin)?;
        images::install(&session.registry);
        Ok(session)
    }
}

/// Runs a command that needs no tensors.
///
/// # Errors
/// What the command returns.
pub fn run(cli: &Cli, set: ComponentSet) -> Result<()> {
    match &cli.command {
        Command::PlanAndPreprocess(args) => plan_and_preprocess::run(args, &cli.session(set)?),
        Command::Audit(args) => audit::run(args),
        Command::Plans(args) => plans::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Ensemble(args) => ensemble::run(args, &cli.session(set)?),
        Command::DeterminePostprocessing(args) => determine_postprocessing::run(args),
        Command::ApplyPostprocessing(args) => apply_postprocessing::run(args, &cli.session(set)?),
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
        Command::Plugins(args) => plugins::run(args, cli, set),
        Command::Aliases(args) => aliases::run(args),
        Command::Train(_)
        | Command::TrainDp(_)
        | Command::TrainDdp(_)
        | Command::Trainers(_)
        | Command::Predict(_) => {
            anyhow::bail!("this command needs nnunet-torch")
        }
    }
}

/// Arguments as a shell would pass them on.
#[must_use]
pub fn process_arguments() -> Vec<OsString> {
    normalize(std::env::args_os())
}
