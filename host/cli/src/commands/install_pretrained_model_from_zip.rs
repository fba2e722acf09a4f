//! `install_pretrained_model_from_zip`: installs a model exported by `export_model_to_zip`.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::exchange;
use nnunet_data::folders::Folders;

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
    let results = folders.results()?;
    for model in exchange::install(&args.zip, &results, args.overwrite)? {
        report::line(&format!("installed {}", model.display()));
    }
    Ok(())
}
