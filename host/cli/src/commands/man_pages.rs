//! `man_pages`: writes a man page for every command.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::folders;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the pages, such as ~/.local/share/man/man1.
    #[arg(long)]
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Returns an I/O error if a page cannot be written.
pub(crate) fn run(args: &Args, command: clap::Command) -> Result<()> {
    folders::create(&args.dir)?;
    clap_mangen::generate_to(command, &args.dir).with_context(|| args.dir.display().to_string())?;
    report::line(&format!("wrote man pages to {}", args.dir.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        run(&Args { dir: folder.path().to_owned() }, Cli::command()).unwrap();
        for page in ["nnunet.1", "nnunet-predict.1", "nnunet-plugins-inspect.1"] {
            let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}");
        }
    }
}
