//! `plugins install`: installs a plugin for all of a user's projects.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_engine::ship::{self, Source};

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of a plugin's crate, a built library, an archive of `nnunet plugins pack`, a .crate or tar.gz of sources, or
    /// the address of a git repository. Sources are built in release mode, which runs their build scripts; installing
    /// loads the plugin.
    what: String,
    /// Branch, tag or commit of the repository.
    #[arg(long, value_name = "REVISION")]
    rev: Option<String>,
    /// Folder of the crate in the repository or archive.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let source = Source::parse(&args.what, args.rev.as_deref(), args.folder.as_deref())?;
    if let Some(pack) = source.pack()? {
        report::line(&pack.info.to_string());
    }
    let fetched = source.fetch()?;
    let (about, to) = ship::install(&fetched, &source)?;
    let offers: Vec<String> =
        about.components.iter().map(|info| format!("{} {}", info.kind, info.name)).collect();
    report::line(&format!("installed {} {} in {}", about.name, about.version, to.display()));
    report::line(&format!("it offers {}", offers.join(", ")));
    Ok(())
}
