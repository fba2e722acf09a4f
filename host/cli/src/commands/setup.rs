//! `setup`: fetches libtorch for this user.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use nnunet_libtorch::{Parts, Search, has_cuda, install};
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Install libtorch for CUDA too, although no NVIDIA driver is seen here: for containers and login nodes.
    #[arg(long)]
    cuda: bool,
    /// The Python whose pip installs it; that of the program's environment, or else python3, by default.
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if libtorch cannot be installed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let program = std::env::current_exe()?;
    if let Ok(found) = Search::of_program(&program).run()
        && (!args.cuda || has_cuda(&found.folder))
    {
        return done(&found.folder, &found.source);
    }
    let python = args.python.clone().unwrap_or_else(|| python(&program));
    let parts = if args.cuda { Parts::Cuda } else { Parts::Seen };
    let folder = install(&python, parts, &report::line).map_err(|error| anyhow!(error))?;
    done(&folder, "nnunet setup")
}

fn done(folder: &Path, source: &str) -> Result<()> {
    report::line(&format!("libtorch: {} ({source})", folder.display()));
    report::event("libtorch", &json!({ "folder": folder.display().to_string(), "source": source }));
    Ok(())
}

/// The Python of the environment that the program is installed in.
fn python(program: &Path) -> PathBuf {
    let own = program.with_file_name("python3");
    if own.is_file() { own } else { PathBuf::from("python3") }
}
