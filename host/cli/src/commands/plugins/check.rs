//! Arguments of `plugins check`; the work is done where tensors are.

use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plugin.
    pub file: PathBuf,
}
