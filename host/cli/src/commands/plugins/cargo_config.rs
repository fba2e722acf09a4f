//! `plugins cargo_config`: prints what cargo needs to know on this machine to build a plugin's crate.

use anyhow::Result;
use nnunet_engine::build;

use crate::report;

/// Runs the command.
pub(super) fn run() -> Result<()> {
    report::result(build::cargo_config(true, None)?.trim_end());
    Ok(())
}
