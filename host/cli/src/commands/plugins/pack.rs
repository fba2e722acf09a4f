//! `plugins pack`: writes one archive with a built plugin and what a user needs to know of it.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_engine::ship::{Source, write_pack};
use nnunet_engine::trust;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of a plugin's crate, which is built in release mode, or a built library.
    what: String,
    /// The archive, or a folder for it.
    #[arg(short = 'o', long, default_value = ".")]
    output: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let fetched = Source::parse(&args.what, None, None)?.fetch()?;
    let (archive, info) = write_pack(&fetched.library, fetched.crate_folder.as_deref(), &args.output)?;
    report::line(&info.to_string());
    report::line(&format!("wrote {} (sha256 {})", archive.display(), trust::sha256(&archive)?));
    Ok(())
}
