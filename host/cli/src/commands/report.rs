//! `report`: one HTML page about predictions or a trained model.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_data::folders::Folders;
use nnunet_data::v2;
use nnunet_report::Sources;
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of predictions with a `summary.json`, of a fold, or of a model with its folds.
    folder: PathBuf,
    /// The page to write.
    #[arg(short = 'o', long, default_value = "report.html")]
    output: PathBuf,
    /// Folder of the images for the overlays. By default they are looked for beside the references and in the raw data.
    #[arg(short = 'i', long)]
    images: Option<PathBuf>,
    /// Most cases with overlays, those with the lowest Dice first.
    #[arg(long, default_value_t = 6, value_name = "N")]
    overlays: usize,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for a folder without results, a summary that cannot be read, or a page that cannot be written.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    let v2 = v2::Folders::from_environment();
    let raw_folders = [folders.raw().ok(), v2.raw().ok().map(Path::to_owned)];
    let sources = Sources {
        folder: args.folder.clone(),
        images: args.images.clone(),
        raw: raw_folders.into_iter().flatten().collect(),
        overlays: args.overlays,
    };
    nnunet_report::write(&sources, &args.output)?;
    report::record("written", &json!({ "file": args.output }), &args.output.display().to_string());
    Ok(())
}
