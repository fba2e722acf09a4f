//! `models`: the trained models in the folders of results.

use anyhow::Result;
use clap::Subcommand;
use nnunet_data::folders::Folders;
use nnunet_data::models::{TrainedModel, trained};
use nnunet_data::v2;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the trained models of v1 (RESULTS_FOLDER) and v2 (nnUNet_results) with their folds.
    List {
        /// Only models of this task or data set, by name or number.
        task: Option<String>,
    },
}

/// Runs the command.
///
/// # Errors
/// Returns an error for values that JSON cannot represent.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    let Command::List { task } = &args.command;
    let v2 = v2::Folders::from_environment();
    let all = trained(folders, v2.results().ok());
    let listed: Vec<&TrainedModel> = all.iter().filter(|model| is_of(model, task.as_deref())).collect();
    if report::is_json() {
        for model in &listed {
            report::event("model", &serde_json::to_value(model)?);
        }
        return Ok(());
    }
    if listed.is_empty() {
        let of_task = task.as_ref().map(|task| format!(" of {task}")).unwrap_or_default();
        let place =
            |name: &str, is_set: bool| format!("{name}{}", if is_set { "" } else { ", which is not set" });
        let places = [
            place("RESULTS_FOLDER", folders.results().is_ok()),
            place("nnUNet_results", v2.results().is_ok()),
        ];
        report::line(&format!("there are no trained models{of_task} in {}", places.join(", and in ")));
        return Ok(());
    }
    report::result(&report::table(listed.iter().map(|model| {
        let TrainedModel { task, configuration, trainer, plans, folder, .. } = model;
        let names = [task, configuration, trainer, plans].map(Clone::clone);
        let [task, configuration, trainer, plans] = names;
        [task, configuration, trainer, plans, model.describe_folds(), folder.display().to_string()]
    })));
    Ok(())
}

/// Whether a model is of a task, given by name or number.
fn is_of(model: &TrainedModel, task: Option<&str>) -> bool {
    let Some(task) = task else { return true };
    let number = task.parse::<u32>().map(|id| [format!("Task{id:03}_"), format!("Dataset{id:03}_")]);
    model.task == task
        || number.is_ok_and(|starts| starts.iter().any(|start| model.task.starts_with(start.as_str())))
}
