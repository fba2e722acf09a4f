//! `plugins pin`: writes versions and hashes of plugins into the project's configuration file.

use anyhow::Result;
use nnunet_engine::config::{self, FILE};
use nnunet_engine::pin;

use crate::global_options::GlobalOptions;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Plugins to pin; by default all that the file lists. One that it does not list is looked for and listed.
    names: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, options: &GlobalOptions) -> Result<()> {
    let file = config::project_file(options.config.as_deref()).unwrap_or_else(|| FILE.into());
    for pinned in pin::pin(&file, &args.names)? {
        report::line(&format!("{} {} sha256 {}", pinned.name, pinned.version, pinned.sha256));
    }
    report::line(&format!("wrote {}", file.display()));
    Ok(())
}
