//! `plugins remove`: removes plugins from the user's folder.

use anyhow::Result;
use nnunet_engine::ship;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Names of plugins, as `nnunet plugins list` shows them.
    #[arg(required = true)]
    names: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    for name in &args.names {
        report::line(&format!("removed {}", ship::remove(name)?.display()));
    }
    Ok(())
}
