//! `evaluate_folder`: metrics of a folder of predictions.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nnunet_data::images;
use nnunet_data::label_names::LabelNames;
use nnunet_data::summary::{self, EXTENDED_FILE, Head, Pair};
use nnunet_data::v2::Class;
use serde_json::json;

use crate::label_dice::LabelDice;
use crate::{metrics_table, report};

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the references.
    #[arg(long = "ref", required = true)]
    reference: PathBuf,
    /// Folder of the predictions.
    #[arg(long = "pred", required = true)]
    predictions: PathBuf,
    /// Labels to evaluate.
    #[arg(short = 'l', num_args = 1.., required = true)]
    labels: Vec<i64>,
    /// Tolerance of the normalized surface Dice, mm.
    #[arg(long, default_value_t = 1.0, value_name = "MM")]
    tolerance: f64,
    /// Also write all metrics as a table, with the names of the labels and volumes in ml.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

/// Runs the command: writes both summaries beside the predictions and prints the mean Dice.
///
/// # Errors
/// Returns an error for folders whose files do not match, or files that cannot be compared.
pub(crate) fn run(args: &Args) -> Result<()> {
    metrics_table::check(args.csv.as_deref())?;
    let pairs = pairs(&args.predictions, &args.reference)?;
    summary::warn_of_places(&pairs);
    let mean =
        summary::write(&args.predictions.join("summary.json"), &pairs, &args.labels, &Head::default())?;
    summary::write_extended(&args.predictions.join(EXTENDED_FILE), &pairs, &args.labels, args.tolerance)?;
    let names = LabelNames::near(&[&args.reference, &args.predictions]);
    for (label, dice) in &mean {
        let found = LabelDice::new(&Class::Label(*label), *dice, &names);
        report::record("evaluation_label", &found.fields(), &found.text());
    }
    if let Some(file) = &args.csv {
        metrics_table::write(file, &args.predictions.join("summary.json"), &names)?;
    }
    let foreground =
        nnunet_evaluation::nan_mean(mean.iter().filter(|(label, _)| *label != 0).map(|(_, dice)| *dice));
    let cases = pairs.len();
    report::record(
        "evaluation",
        &json!({ "foreground_mean_dice": foreground, "cases": cases }),
        &format!("foreground: mean Dice {foreground:.4} over {cases} cases"),
    );
    Ok(())
}

/// The cases of both folders, which may be in different formats.
fn pairs(predictions: &Path, references: &Path) -> Result<Vec<Pair>> {
    let predicted = images::list(predictions)?;
    complete(predictions, &images::list(references)?)?;
    complete(references, &predicted)?;
    let pair = |name: &String| {
        let reference = images::find(references, images::stem(name))?;
        Some(Pair { test: predictions.join(name), reference })
    };
    Ok(predicted.iter().filter_map(pair).collect())
}

/// Checks that a folder has all cases of the other one.
fn complete(folder: &Path, names: &[String]) -> Result<()> {
    let is_missing = |name: &&String| images::find(folder, images::stem(name)).is_none();
    let missing: Vec<&str> = names.iter().filter(is_missing).map(String::as_str).collect();
    ensure!(missing.is_empty(), "{} lacks {}", folder.display(), missing.join(", "));
    Ok(())
}
