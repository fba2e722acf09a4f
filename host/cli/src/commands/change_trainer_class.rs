//! `change_trainer_class`: another trainer for a trained model.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::exchange;
use nnunet_engine::session::Session;
use nnunet_plugin_core::Kind;

use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's folder, which has the folds in it.
    #[arg(short = 'i', required = true)]
    model: PathBuf,
    /// Name of the trainer.
    #[arg(long = "tr", required = true)]
    trainer: String,
}

/// Runs the command. A trainer that is not known here may be that of a plugin elsewhere.
///
/// # Errors
/// As [`exchange::change_trainer`].
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    if let Err(unknown) = session.registry.find(Kind::Trainer, &args.trainer) {
        report::warning(&format!("{unknown:#}; the model cannot be used where it is not"));
    }
    for file in exchange::change_trainer(&args.model, &args.trainer)? {
        report::line(&format!("{} names {}", file.display(), args.trainer));
    }
    Ok(())
}
