//! The commands of nnU-Net v2, `nnunet v2 NAME` or, through a link, `nnUNetv2_NAME`.

mod convert;
mod ensemble;
mod extract_fingerprint;
mod later;
mod link;
mod models;
mod move_plans;
mod plan_and_preprocess;
mod plan_experiment;
mod predict;
mod preprocess;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use nnunet_data::memory;
use nnunet_data::pipeline::Limits;

use crate::global_options::GlobalOptions;
use crate::tensor_commands::TensorCommands;

pub use link::{COMMANDS, PREFIX, check};

/// The commands. Names and flags are v2's.
#[derive(Debug, clap::Subcommand)]
#[command(rename_all = "snake_case", infer_long_args = true)]
pub enum Command {
    /// Extract the fingerprint of data sets.
    ExtractFingerprint(extract_fingerprint::Args),
    /// Plan data sets by their fingerprints.
    PlanExperiment(plan_experiment::Args),
    /// Extract fingerprints, plan and preprocess data sets.
    PlanAndPreprocess(plan_and_preprocess::Args),
    /// Preprocess data sets by their plans.
    Preprocess(preprocess::Args),
    /// Take the plans of another data set, to start from its models.
    MovePlansBetweenDatasets(move_plans::Args),
    /// Turn a task of v1 into a data set.
    #[command(name = "convert_old_nnUNet_dataset")]
    ConvertOld(convert::Old),
    /// Turn a task of the Medical Segmentation Decathlon into a data set.
    #[command(name = "convert_MSD_dataset")]
    ConvertMsd(convert::Msd),
    /// Turn a data set into a task of v1.
    ConvertToTask(convert::ToTask),
    /// Not there yet.
    Train(later::Args),
    /// Not there yet.
    FindBestConfiguration(later::Args),
    /// Not there yet.
    DeterminePostprocessing(later::Args),
    /// Not there yet.
    AccumulateCrossvalResults(later::Args),
    /// Not there yet.
    ApplyPostprocessing(later::Args),
    /// Show how to get and install the model of an address.
    DownloadPretrainedModelByUrl(models::Download),
    /// Average the predicted probabilities of several models.
    Ensemble(ensemble::Args),
    /// Not there yet.
    EvaluateFolder(later::Args),
    /// Not there yet.
    EvaluateSimple(later::Args),
    /// Not there yet.
    ExportModelToZip(later::Args),
    /// Install an exported model.
    InstallPretrainedModelFromZip(models::Install),
    /// Not there yet.
    PlotOverlayPngs(later::Args),
    /// Predict a folder of images with a model in nnUNet_results.
    Predict(Box<predict::Args>),
    /// Predict a folder of images with the model of a folder or archive.
    PredictFromModelfolder(Box<predict::FromModelFolder>),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Returns the error of the command.
    pub(crate) fn run(&self, options: &GlobalOptions, tensors: &impl TensorCommands) -> Result<ExitCode> {
        let session = || options.session(tensors.component_set());
        let done = match self {
            Self::ExtractFingerprint(args) => extract_fingerprint::run(args, &session()?),
            Self::PlanExperiment(args) => plan_experiment::run(args, &session()?),
            Self::PlanAndPreprocess(args) => plan_and_preprocess::run(args, &session()?),
            Self::Preprocess(args) => preprocess::run(args, &session()?),
            Self::MovePlansBetweenDatasets(args) => move_plans::run(args, &session()?),
            Self::ConvertOld(args) => convert::run_old(args),
            Self::ConvertMsd(args) => convert::run_msd(args),
            Self::ConvertToTask(args) => convert::run_to_task(args, &session()?),
            Self::Train(_) => later::refuse("train"),
            Self::FindBestConfiguration(_) => later::refuse("find_best_configuration"),
            Self::DeterminePostprocessing(_) => later::refuse("determine_postprocessing"),
            Self::AccumulateCrossvalResults(_) => later::refuse("accumulate_crossval_results"),
            Self::ApplyPostprocessing(_) => later::refuse("apply_postprocessing"),
            Self::DownloadPretrainedModelByUrl(args) => models::download(args),
            Self::Ensemble(args) => ensemble::run(args, &session()?),
            Self::EvaluateFolder(_) => later::refuse("evaluate_folder"),
            Self::EvaluateSimple(_) => later::refuse("evaluate_simple"),
            Self::ExportModelToZip(_) => later::refuse("export_model_to_zip"),
            Self::InstallPretrainedModelFromZip(args) => models::install(args),
            Self::PlotOverlayPngs(_) => later::refuse("plot_overlay_pngs"),
            Self::Predict(args) => return predict::run(args, options, tensors),
            Self::PredictFromModelfolder(args) => {
                return predict::run_from_model_folder(args, options, tensors);
            }
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// What all commands that take long say and use.
#[derive(Debug, Clone, clap::Args)]
pub struct Effort {
    /// No progress bar; there is none either where output is not a terminal.
    #[arg(long = "no_pbar")]
    no_progress_bar: bool,
    /// Memory to use, for example 8G; most of what is free by default.
    #[arg(long = "max_ram", alias = "max_ram", value_name = "SIZE", value_parser = memory::parse_size)]
    max_ram: Option<u64>,
}

impl Effort {
    /// Cases at a time, no more than there are cores.
    fn limits(&self, processes: usize) -> Limits {
        let machine = std::thread::available_parallelism().map_or(1, usize::from);
        let max_ram = self.max_ram.unwrap_or_else(memory::default_budget);
        Limits { threads: processes.clamp(1, machine), max_ram }
    }
}

/// Number of processes where none is given, as in v2.
fn default_processes() -> usize {
    std::env::var("nnUNet_def_n_proc").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Does something with every data set. One that fails does not stop the others.
fn for_each(datasets: &[String], work: impl Fn(&str) -> Result<()>) -> Result<()> {
    let one = |dataset: &String| work(dataset).err().map(|error| format!("{dataset}: {error:#}"));
    let failed: Vec<String> = datasets.iter().filter_map(one).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}
