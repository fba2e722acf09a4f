//! `determine_postprocessing`: determines the best postprocessing of a model or of a folder of predictions.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::folders::{CASCADE, Folders};
use nnunet_data::label_names::LabelNames;
use nnunet_data::models;
use nnunet_data::selection::{Determination, Postprocessing, VALIDATION, consolidate, determine};

use crate::report;

/// Arguments of v1's command, and of a folder of predictions with reference segmentations.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration of a model.
    #[arg(short = 'm', requires = "task")]
    model: Option<String>,
    /// Task, by name or number.
    #[arg(short = 't')]
    task: Option<String>,
    /// Trainer of the model; v1's default of the configuration without it.
    #[arg(long = "tr")]
    trainer: Option<String>,
    /// Identifier of the plans.
    #[arg(long = "pl", default_value = crate::defaults::PLANS)]
    plans: String,
    /// Name of the validation folder.
    #[arg(long = "val", default_value = VALIDATION)]
    validation: String,
    /// Folder of predictions.
    #[arg(long, conflicts_with = "model", requires = "gt")]
    raw: Option<PathBuf>,
    /// Folder of their reference segmentations.
    #[arg(long, requires = "raw")]
    gt: Option<PathBuf>,
    /// Folder for postprocessing.json and the postprocessed predictions.
    #[arg(short = 'o', long = "output", requires = "raw")]
    output: Option<PathBuf>,
    /// Keep other components that are as large as the smallest largest one of all cases.
    #[arg(long)]
    advanced: bool,
}

/// Runs the command.
///
/// # Errors
/// As the search for a postprocessing.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    match (&args.raw, &args.gt) {
        (Some(raw), Some(references)) => of_folder(args, raw, references),
        _ => of_model(args, folders),
    }
}

fn of_folder(args: &Args, raw: &Path, references: &Path) -> Result<()> {
    let output = args.output.clone().unwrap_or_else(|| raw.parent().unwrap_or(Path::new(".")).to_owned());
    let name = raw.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = determine(&Determination {
        raw: raw.to_owned(),
        references: references.to_owned(),
        final_name: format!("{name}_postprocessed"),
        advanced: args.advanced,
        threshold: 0.0,
        output,
    })?;
    let names = LabelNames::near(&[references, raw]);
    report::line(&found.describe(&names));
    Ok(())
}

fn of_model(args: &Args, folders: &Folders) -> Result<()> {
    let configuration =
        args.model.as_deref().context("-m CONFIGURATION and -t TASK, or --raw and --gt, are needed")?;
    let task = folders.task_name(args.task.as_deref().context("-t TASK is needed")?)?;
    let default = if configuration == CASCADE { "nnUNetTrainerV2CascadeFullRes" } else { "nnUNetTrainerV2" };
    let trainer = args.trainer.as_deref().unwrap_or(default);
    let model = folders.model(configuration, &task, trainer, &args.plans)?;
    ensure!(
        model.is_dir(),
        "there is no model at {}; {}",
        model.display(),
        models::nearest(&[&task, configuration, trainer, &args.plans], &models::in_v1(&folders.results()?))
    );
    consolidate(&model, &[0, 1, 2, 3, 4], &args.validation)?;
    let file = model.join("postprocessing.json");
    let kept = Postprocessing::load(&file)?.describe(&LabelNames::near(&[&model]));
    report::line(&format!("{kept}; wrote {}", file.display()));
    Ok(())
}
