//! `plugins cargo_config`: prints what cargo needs to know on this machine to build a plugin's crate.

use anyhow::Result;
use nnunet_engine::build;
use serde_json::json;

use crate::report;

/// Runs the command.
pub(super) fn run() -> Result<()> {
    let text = build::cargo_config(true, None)?;
    report::record("cargo_config", &json!({ "text": text }), text.trim_end());
    Ok(())
}
