//! `apply_postprocessing`: applies a postprocessor to a folder of label maps.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::folders;
use nnunet_data::selection::apply_to_folder;
use nnunet_engine::session::Session;

use super::postprocessing_choice::PostprocessingChoice;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of label maps.
    #[arg(short = 'i', long = "input_folder")]
    input: PathBuf,
    /// Folder for the result.
    #[arg(short = 'o', long = "output_folder")]
    output: PathBuf,
    #[command(flatten)]
    postprocessing: PostprocessingChoice,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for an unknown postprocessor, or one error that lists all files that cannot be processed.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    folders::keep_inputs(std::slice::from_ref(&args.output), std::slice::from_ref(&args.input))?;
    let postprocessor = args.postprocessing.postprocessor(session)?;
    let postprocessor =
        postprocessor.context("choose a postprocessing with -pp FILE, -pp NAME, or [use] in nnunet.toml")?;
    apply_to_folder(&args.input, &args.output, &*postprocessor)?;
    args.postprocessing.note(&args.output)?;
    report::line(&format!("wrote {}", args.output.display()));
    Ok(())
}
