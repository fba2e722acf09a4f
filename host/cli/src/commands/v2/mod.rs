//! The commands of nnU-Net v2, `nnunet v2 NAME` or, through a link, `nnUNetv2_NAME`.

mod accumulate_crossval_results;
mod apply_postprocessing;
mod convert;
mod determine_postprocessing;
mod effort;
mod ensemble;
mod evaluate;
mod export;
mod extract_fingerprint;
mod find_best_configuration;
mod models;
mod move_plans;
mod overlays;
mod plan_and_preprocess;
mod plan_experiment;
mod predict;
mod preprocess;

use std::process::ExitCode;

use anyhow::Result;

use crate::commands::{TensorCommands, download, launch, train_v2};
use crate::global_options::GlobalOptions;

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
    /// Transfer the plans of a data set to another one, for pretrained weights.
    MovePlansBetweenDatasets(move_plans::Args),
    /// Turn a task of v1 into a data set.
    #[command(name = "convert_old_nnUNet_dataset")]
    ConvertOld(convert::Old),
    /// Turn a task of the Medical Segmentation Decathlon into a data set.
    #[command(name = "convert_MSD_dataset")]
    ConvertMsd(convert::Msd),
    /// Turn a data set into a task of v1.
    ConvertToTask(convert::ToTask),
    /// Train a fold of a model.
    Train(train_v2::Args),
    /// Find the best configuration or ensemble of two by cross-validation.
    FindBestConfiguration(find_best_configuration::Args),
    /// Determine the best postprocessing of predictions.
    DeterminePostprocessing(determine_postprocessing::Args),
    /// Collect and evaluate the predictions of a cross-validation.
    AccumulateCrossvalResults(accumulate_crossval_results::Args),
    /// Apply a postprocessing to a folder of label maps.
    ApplyPostprocessing(apply_postprocessing::Args),
    /// Download the archive of a model from a URL and install it.
    DownloadPretrainedModelByUrl(download::Url),
    /// Average the predicted probabilities of several models.
    Ensemble(ensemble::Args),
    /// Compute metrics of a folder of predictions of a data set.
    EvaluateFolder(evaluate::Folder),
    /// Compute metrics of a folder of predictions for some labels.
    EvaluateSimple(evaluate::Simple),
    /// Export trained models to a zip archive.
    ExportModelToZip(export::Args),
    /// Install an exported model.
    InstallPretrainedModelFromZip(models::Install),
    /// Draw the slice with most foreground of every case.
    PlotOverlayPngs(overlays::Args),
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
            Self::Train(args) => {
                args.check()?;
                if args.num_gpus > 1 && !launch::is_launched() {
                    return launch::this_command(args.num_gpus);
                }
                return tensors.train_v2(args, options);
            }
            Self::FindBestConfiguration(args) => session().and_then(|_| find_best_configuration::run(args)),
            Self::DeterminePostprocessing(args) => {
                session().and_then(|_| determine_postprocessing::run(args))
            }
            Self::AccumulateCrossvalResults(args) => {
                session().and_then(|_| accumulate_crossval_results::run(args))
            }
            Self::ApplyPostprocessing(args) => apply_postprocessing::run(args),
            Self::DownloadPretrainedModelByUrl(args) => download::by_url(args, &options.folders()),
            Self::Ensemble(args) => ensemble::run(args, &session()?),
            Self::EvaluateFolder(args) => evaluate::run_folder(args),
            Self::EvaluateSimple(args) => evaluate::run_simple(args),
            Self::ExportModelToZip(args) => export::run(args),
            Self::InstallPretrainedModelFromZip(args) => models::install(args),
            Self::PlotOverlayPngs(args) => overlays::run(args),
            Self::Predict(args) => return predict::run(args, options, tensors),
            Self::PredictFromModelfolder(args) => {
                return predict::run_from_model_folder(args, options, tensors);
            }
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
