//! `evaluate_folder`: metrics of a folder of predictions.

use std::path::PathBuf;

use anyhow::{Result, bail};
use nnunet_data::folders::file_names;
use nnunet_data::summary::{self, EXTENDED_FILE, Head, Pair};
use serde_json::json;

use crate::report;

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
}

/// Runs the command: writes both summaries beside the predictions and prints the mean Dice.
///
/// # Errors
/// Folders whose files do not match, or files that cannot be compared.
pub(super) fn run(args: &Args) -> Result<()> {
    let (references, predictions) =
        (file_names(&args.reference, ".nii.gz"), file_names(&args.predictions, ".nii.gz"));
    if predictions.is_empty() {
        bail!("there are no .nii.gz files in {}", args.predictions.display());
    }
    let missing = |names: &[String], others: &[String], folder: &PathBuf| {
        let absent: Vec<&str> =
            names.iter().filter(|name| !others.contains(name)).map(String::as_str).collect();
        if absent.is_empty() {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{} lacks {}", folder.display(), absent.join(", ")))
        }
    };
    missing(&references, &predictions, &args.predictions)?;
    missing(&predictions, &references, &args.reference)?;
    let pair =
        |name: &String| Pair { test: args.predictions.join(name), reference: args.reference.join(name) };
    let pairs: Vec<Pair> = predictions.iter().map(pair).collect();
    let mean =
        summary::write(&args.predictions.join("summary.json"), &pairs, &args.labels, &Head::default())?;
    summary::write_extended(&args.predictions.join(EXTENDED_FILE), &pairs, &args.labels, args.tolerance)?;
    for (label, dice) in &mean {
        let object = json!({ "label": label, "mean_dice": dice });
        report::record(&object, &format!("label {label}: mean Dice {dice:.4}"));
    }
    let foreground =
        nnunet_evaluation::nan_mean(mean.iter().filter(|(label, _)| *label != 0).map(|(_, dice)| *dice));
    let cases = pairs.len();
    report::record(
        &json!({ "foreground_mean_dice": foreground, "cases": cases }),
        &format!("foreground: mean Dice {foreground:.4} over {cases} cases"),
    );
    Ok(())
}
