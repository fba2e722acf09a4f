//! The checkpoints that a run starts from.

use anyhow::Result;
use nnunet_cli::report;
use nnunet_training::Engine;

use super::job::Job;
use super::saved::{finished, newest};
use crate::v1::checkpoint;

/// Weights to validate, to continue with, or to start from; without any of them the random ones stay.
pub(super) fn load(job: &Job<'_>, engine: &mut Engine) -> Result<()> {
    let args = job.args;
    if args.validation_only {
        let path = finished(&job.settings.output, args.valbest)?;
        report::line(&format!("loading checkpoint {} train= False", path.display()));
        return checkpoint::load_weights(&path, &mut engine.store);
    }
    if args.continue_training {
        return checkpoint::resume(&newest(&job.settings.output)?, engine);
    }
    if let Some(weights) = &args.pretrained_weights {
        let taken = checkpoint::load_pretrained(weights, &mut engine.store)?;
        report::line(&format!("{taken} parameters start from {}", weights.display()));
    }
    Ok(())
}
