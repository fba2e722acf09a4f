//! `picture`: image, reference and prediction of cases side by side.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use nnunet_data::folders::file_names;
use nnunet_data::summary::read_labels;
use nnunet_evaluation::{Confusion, nan_mean};
use nnunet_formats::nifti;
use nnunet_pictures::{MontageRow, montage};
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the images (`<case>_0000.nii.gz`).
    #[arg(short = 'i', long)]
    images: PathBuf,
    /// Folder of the references.
    #[arg(long = "ref")]
    reference: PathBuf,
    /// Folder of the predictions.
    #[arg(long = "pred")]
    predictions: PathBuf,
    /// The PNG to write.
    #[arg(short = 'o', long)]
    output: PathBuf,
    /// Most cases to draw.
    #[arg(long, default_value_t = 6)]
    cases: usize,
}

/// Runs the command.
///
/// # Errors
/// A folder without predictions, or a file that cannot be read.
pub(super) fn run(args: &Args) -> Result<()> {
    let names = file_names(&args.predictions, ".nii.gz");
    if names.is_empty() {
        bail!("there are no .nii.gz files in {}", args.predictions.display());
    }
    let rows = names.iter().take(args.cases).map(|name| row(args, name)).collect::<Result<Vec<_>>>()?;
    montage(&args.output, &rows)?;
    report::record(&json!({ "file": args.output }), &args.output.display().to_string());
    Ok(())
}

fn row(args: &Args, name: &str) -> Result<MontageRow> {
    let case = name.trim_end_matches(".nii.gz");
    let image = nifti::read(&args.images.join(format!("{case}_0000.nii.gz")))?;
    let (reference, prediction) =
        (read_labels(&args.reference.join(name))?, read_labels(&args.predictions.join(name))?);
    ensure!(
        reference.dim() == prediction.dim() && reference.dim() == image.data.dim(),
        "{case}: image, reference and prediction differ in size"
    );
    let labels = reference.iter().copied().max().unwrap_or(0);
    let dice = nan_mean(
        (1..=labels).map(|label| Confusion::count(prediction.view(), reference.view(), label).dice()),
    );
    Ok(MontageRow {
        caption: format!("{case}: mean Dice {dice:.3}"),
        spacing: image.geometry.spacing_zyx(),
        image: image.data,
        reference,
        prediction,
    })
}
