//! `plugins probe`: loads a plugin in a child process.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_engine::probe::{self, ProbeResult};
use nnunet_formats::atomic;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin.
    file: PathBuf,
    /// File for the result, as JSON.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    atomic::write_bytes(&probe::started(&args.to), b"")?;
    let result = serde_json::to_vec(&ProbeResult::here(&args.file))?;
    Ok(atomic::write_bytes(&args.to, &result)?)
}
