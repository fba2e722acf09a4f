//! `plugins install`: installs a plugin for all of a user's projects.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_engine::build;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of a plugin's crate, which is built in release mode, or a built library.
    what: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let library = if args.what.is_dir() { build::build(&args.what)? } else { args.what.clone() };
    let (about, to) = build::install(&library)?;
    let offers: Vec<String> =
        about.components.iter().map(|info| format!("{} {}", info.kind, info.name)).collect();
    report::line(&format!("installed {} {} in {}", about.name, about.version, to.display()));
    report::line(&format!("it offers {}", offers.join(", ")));
    Ok(())
}
