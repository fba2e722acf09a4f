//! `--find_lr`: which learning rate to start with.

use anyhow::{Result, anyhow};
use nnunet_cli::report;
use nnunet_data::records::Split;
use nnunet_engine::session::Session;
use nnunet_pictures::learning_rates;
use nnunet_training::Engine;

use super::batches::batches;
use super::run_recorder::Bar;
use crate::fold_training::FoldTraining;

/// Epochs' worth of steps: v1's 1000 with v1's epochs.
const EPOCHS: usize = 4;

/// Runs the sweep and draws `lr_finder.png`.
pub(super) fn run(
    fold: &dyn FoldTraining,
    engine: &mut Engine,
    split: &Split,
    session: &Session,
) -> Result<()> {
    let steps = EPOCHS * engine.trainer.blueprint.num_batches_per_epoch;
    let run = batches(fold, engine, split, session)?;
    let sweep = engine
        .find_learning_rate(&run, steps, &mut Bar::new(steps, "learning rates"))
        .map_err(|error| anyhow!("looking for a learning rate: {error}"))?;
    let path = fold.settings().output.join("lr_finder.png");
    learning_rates(&path, &sweep.rates, &sweep.losses)?;
    report::line(&format!("{} learning rates tried: {}", sweep.rates.len(), path.display()));
    if let Some(rate) = sweep.steepest() {
        report::line(&format!("the loss falls fastest at {rate:.1e}"));
    }
    Ok(())
}
