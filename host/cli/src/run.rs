//! Runs the command line of a process.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;
use nnunet_formats::atomic;

use crate::cli::Cli;
use crate::commands::{self, Command, TensorCommands};
use crate::help::with_examples;
use crate::report;

/// Runs the command line of this process and prints its error, if there is one.
pub fn main(tensors: &impl TensorCommands) -> ExitCode {
    let outcome = run(tensors).and_then(|code| report::finish().map(|()| code));
    outcome.unwrap_or_else(|error| {
        report::error(&error);
        ExitCode::FAILURE
    })
}

fn run(tensors: &impl TensorCommands) -> Result<ExitCode> {
    let cli = Cli::from_process()?;
    cli.options.start_report()?;
    atomic::set_durable(!cli.options.no_fsync);
    dispatch(&cli, tensors)
}

/// Runs a command.
///
/// # Errors
/// Returns the error of the command.
fn dispatch(cli: &Cli, tensors: &impl TensorCommands) -> Result<ExitCode> {
    let options = &cli.options;
    let session = || options.session(tensors.component_set());
    let done = match &cli.command {
        Command::Train(args) => return tensors.train(args, options),
        Command::TrainDp(args) => return args.run(|args| tensors.train(args, options)),
        Command::TrainDdp(args) => return args.run(|args| tensors.train(args, options)),
        Command::Launch(args) => return commands::launch::run(args, options),
        Command::TrainAll(args) => return commands::train_all::run(args, options, &session()?),
        Command::Predict(args) => return tensors.predict(args, options),
        Command::Trainers(args) => return tensors.trainers(args, options),
        Command::PlanAndPreprocess(args) => {
            commands::plan_and_preprocess::run(args, &options.folders(), &session()?)
        }
        Command::Audit(args) => commands::audit::run(args),
        Command::Plans(args) => commands::plans::run(args, &options.folders()),
        Command::Verify(args) => commands::verify::run(args, &options.folders()),
        Command::Split(args) => commands::split::run(args, &session()?, &options.folders()),
        Command::Ensemble(args) => commands::ensemble::run(args, &session()?),
        Command::DeterminePostprocessing(args) => {
            commands::determine_postprocessing::run(args, &options.folders())
        }
        Command::ApplyPostprocessing(args) => commands::apply_postprocessing::run(args, &session()?),
        Command::FindBestConfiguration(args) => {
            commands::find_best_configuration::run(args, &options.folders())
        }
        Command::EvaluateFolder(args) => commands::evaluate_folder::run(args),
        Command::ExampleDataset(args) => commands::example_dataset::run(args),
        Command::Picture(args) => commands::picture::run(args),
        Command::Report(args) => commands::report::run(args, &options.folders()),
        Command::ConvertDecathlonTask(args) => {
            commands::convert_decathlon_task::run(args, &options.folders())
        }
        Command::Ingest(args) => commands::ingest::run(args, &options.folders()),
        Command::Convert(args) => commands::convert::run(args, options, tensors),
        Command::PlotTaskPngs(args) => commands::plot_task_pngs::run(args, &options.folders()),
        Command::ExportModelToZip(args) => {
            commands::export_model_to_zip::run(args, &options.folders(), session)
        }
        Command::InstallPretrainedModelFromZip(args) => {
            commands::install_pretrained_model_from_zip::run(args, &options.folders())
        }
        Command::ChangeTrainerClass(args) => commands::change_trainer_class::run(args, &session()?),
        Command::PrintAvailablePretrainedModels(args) => commands::pretrained::print_available(args),
        Command::PrintPretrainedModelInfo(args) => commands::pretrained::print_info(args),
        Command::DownloadPretrainedModel(args) => commands::download::by_name(args, &options.folders()),
        Command::DownloadPretrainedModelByUrl(args) => commands::download::by_url(args, &options.folders()),
        Command::Models(args) => commands::models::run(args, &options.folders()),
        Command::Setup(args) => commands::setup::run(args),
        Command::Config(args) => commands::config::run(args, options),
        Command::Plugins(args) => return commands::plugins::run(args, options, tensors),
        Command::Doctor(args) => return commands::doctor::run(args, options, tensors),
        Command::Completions(args) => commands::completions::run(args, Cli::command()),
        Command::ManPages(args) => commands::man_pages::run(args, with_examples(Cli::command())),
        Command::Aliases(args) => commands::aliases::run(args),
        Command::V2(command) => return command.run(options, tensors),
    };
    done.map(|()| ExitCode::SUCCESS)
}
