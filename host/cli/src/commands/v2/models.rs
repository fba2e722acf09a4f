//! Models of v2 from others: `nnUNetv2_install_pretrained_model_from_zip` and
//! `nnUNetv2_download_pretrained_model_by_url`.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::exchange;
use nnunet_data::folders;
use nnunet_data::v2::Folders;

use crate::report;

/// Arguments of `nnUNetv2_install_pretrained_model_from_zip`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Install {
    /// The archive.
    #[arg(value_name = "ZIP")]
    zip: PathBuf,
    /// Keep files that are there already, and fail if there are any; without it they are replaced, as in v2.
    #[arg(long)]
    keep_existing: bool,
}

/// Arguments of `nnUNetv2_download_pretrained_model_by_url`.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Download {
    /// URL of the archive.
    url: String,
}

pub(super) fn install(args: &Install) -> Result<()> {
    let folders = Folders::from_environment();
    let results = folders.results()?;
    folders::create(results)?;
    for model in exchange::install(&args.zip, results, !args.keep_existing)? {
        report::line(&format!("installed {}", model.display()));
    }
    Ok(())
}

/// This program opens no network connections.
pub(super) fn download(args: &Download) -> Result<()> {
    report::result(&format!(
        "curl -L -o model.zip '{}'\nnnUNetv2_install_pretrained_model_from_zip model.zip",
        args.url
    ));
    Ok(())
}
