//! `install_pretrained_model_from_zip`: installs a model exported by `export_model_to_zip`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_data::exchange;
use nnunet_data::folders::Folders;
use nnunet_data::v2;
use serde_json::json;

use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The archive.
    zip: PathBuf,
    /// Replace files that are there already.
    #[arg(long)]
    overwrite: bool,
}

/// Runs the command.
///
/// # Errors
/// As [`exchange::install`].
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    install(&args.zip, folders, args.overwrite)
}

/// Installs the models of an archive: those of v1 in RESULTS_FOLDER, those of v2 in nnUNet_results.
///
/// # Errors
/// As [`exchange::install`]; a folder of results that is not set.
pub(super) fn install(archive: &Path, folders: &Folders, overwrite: bool) -> Result<()> {
    let results = if exchange::is_of_v2(archive)? {
        v2::Folders::from_environment().results()?.to_owned()
    } else {
        folders.results()?
    };
    for model in exchange::install(archive, &results, overwrite)? {
        report::line(&format!("installed {}", model.display()));
        report::event("installed", &json!({ "folder": model.display().to_string() }));
    }
    Ok(())
}
