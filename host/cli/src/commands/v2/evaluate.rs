//! `nnUNetv2_evaluate_folder` and `nnUNetv2_evaluate_simple`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::label_names::LabelNames;
use nnunet_data::v2::{Class, Dataset, Evaluation, MeanDice, evaluate, load};
use nnunet_data::{failures, images};
use serde_json::json;

use super::effort::default_processes;
use crate::label_dice::LabelDice;
use crate::{metrics_table, report};

/// What both commands have.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
struct Shared {
    /// Folder of the references.
    #[arg(value_name = "GT_FOLDER")]
    references: PathBuf,
    /// Folder of the predictions.
    #[arg(value_name = "PRED_FOLDER")]
    predictions: PathBuf,
    /// The file to write; summary.json in the folder of predictions by default.
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Ignore references without a prediction.
    #[arg(long)]
    chill: bool,
    /// Also write all metrics as a table, with the names of the labels and volumes in ml.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Arguments of `nnUNetv2_evaluate_folder`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Folder {
    #[command(flatten)]
    shared: Shared,
    /// dataset.json of the data set.
    #[arg(long = "djfile", required = true, value_name = "FILE")]
    dataset: PathBuf,
    /// plans.json of the model; accepted for compatibility with v2, has no effect.
    #[arg(long = "pfile", value_name = "FILE")]
    plans: Option<PathBuf>,
}

/// Arguments of `nnUNetv2_evaluate_simple`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Simple {
    #[command(flatten)]
    shared: Shared,
    /// Labels to evaluate.
    #[arg(short = 'l', num_args = 1.., required = true, value_name = "LABEL")]
    labels: Vec<i64>,
    /// Label of the references whose voxels do not count.
    #[arg(long = "il", value_name = "LABEL")]
    ignore: Option<i64>,
}

pub(super) fn run_folder(args: &Folder) -> Result<()> {
    let dataset: Dataset = load(&args.dataset)?;
    let names = LabelNames::load(&args.dataset);
    args.shared.evaluate(dataset.file_ending.clone(), dataset.foreground(), dataset.ignore_label(), &names)
}

pub(super) fn run_simple(args: &Simple) -> Result<()> {
    let ending = ending(&args.shared.references)?;
    let names = LabelNames::near(&[&args.shared.references, &args.shared.predictions]);
    let classes = args.labels.iter().copied().map(Class::Label).collect();
    args.shared.evaluate(ending, classes, args.ignore, &names)
}

/// The ending of the first image of a folder.
fn ending(folder: &Path) -> Result<String> {
    let names = images::list(folder)?;
    let ending = names.first().and_then(|name| images::ending(name));
    Ok(ending.with_context(|| format!("{} has no label maps", folder.display()))?.to_owned())
}

impl Shared {
    fn evaluate(
        &self,
        file_ending: String,
        classes: Vec<Class>,
        ignore: Option<i64>,
        names: &LabelNames,
    ) -> Result<()> {
        metrics_table::check(self.csv.as_deref())?;
        let evaluation = Evaluation {
            references: self.references.clone(),
            predictions: self.predictions.clone(),
            file_ending,
            classes,
            ignore,
            chill: self.chill,
        };
        let output = self.output.clone().unwrap_or_else(|| self.predictions.join("summary.json"));
        let threads = self.processes.unwrap_or_else(default_processes);
        let pool = failures::threads(threads)?;
        let MeanDice { classes, foreground, cases } = pool.install(|| evaluate(&evaluation, &output))?;
        for (class, dice) in &classes {
            let found = LabelDice::new(class, *dice, names);
            report::record("evaluation_label", &found.fields(), &found.text());
        }
        if let Some(file) = &self.csv {
            metrics_table::write(file, &output, names)?;
        }
        report::record(
            "evaluation",
            &json!({ "foreground_mean_dice": foreground, "cases": cases }),
            &format!("foreground: mean Dice {foreground:.4} over {cases} cases; {}", output.display()),
        );
        Ok(())
    }
}
