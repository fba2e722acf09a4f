//! Models of v2 from others: `nnUNetv2_install_pretrained_model_from_zip`.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::exchange;
use nnunet_data::folders;
use nnunet_data::v2::Folders;
use serde_json::json;

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

pub(super) fn install(args: &Install) -> Result<()> {
    let folders = Folders::from_environment();
    let results = folders.results()?;
    folders::create(results)?;
    for model in exchange::install(&args.zip, results, !args.keep_existing)? {
        report::line(&format!("installed {}", model.display()));
        report::event("installed", &json!({ "folder": model.display().to_string() }));
    }
    Ok(())
}
