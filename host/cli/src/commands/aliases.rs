//! `aliases`: links with the command names of v1 and v2, so that their scripts run unchanged.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::folders;

use crate::{links, report};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the links; add it to your PATH.
    #[arg(long)]
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Returns an I/O error.
pub(crate) fn run(args: &Args) -> Result<()> {
    folders::create(&args.dir)?;
    let program = std::env::current_exe()?;
    for name in links::names() {
        let link = args.dir.join(&name);
        if link.is_symlink() {
            std::fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&program, &link).with_context(|| link.display().to_string())?;
        report::line(&link.display().to_string());
    }
    Ok(())
}
