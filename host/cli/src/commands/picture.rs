//! `picture`: image, reference and prediction of cases side by side.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::images;
use nnunet_data::images::read_labels;
use nnunet_evaluation::{Confusion, nan_mean};
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
    /// Largest number of cases to draw.
    #[arg(long, default_value_t = 6)]
    cases: usize,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for a folder without predictions, or a file that cannot be read.
pub(crate) fn run(args: &Args) -> Result<()> {
    let names = images::list(&args.predictions)?;
    let rows = names.iter().take(args.cases).map(|name| row(args, name)).collect::<Result<Vec<_>>>()?;
    montage(&args.output, &rows)?;
    let file = args.output.display().to_string();
    report::record("written", &json!({ "file": file }), &file);
    Ok(())
}

fn row(args: &Args, name: &str) -> Result<MontageRow> {
    let case = images::stem(name);
    let found = |folder: &Path, stem: &str| {
        images::find(folder, stem).with_context(|| format!("{} has no image {stem}", folder.display()))
    };
    let image = images::read(&found(&args.images, &format!("{case}_0000"))?)?;
    let reference = read_labels(&found(&args.reference, case)?)?;
    let prediction = read_labels(&args.predictions.join(name))?;
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
