//! Commands of v2 that do not exist here yet.

use anyhow::{Result, bail};

/// Whatever is given.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Anything.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(super) fn refuse(name: &str) -> Result<()> {
    bail!(
        "nnUNetv2_{name} is not available yet; use the command of nnU-Net v2, which reads the data and plans made here"
    )
}
