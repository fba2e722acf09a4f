//! What a run leaves behind while it goes: bar, log, picture, checkpoints.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;
use nnunet_host::report;
use nnunet_pictures::{Curves, progress};
use nnunet_plugin_api::{EpochReport, Error as ComponentError};
use nnunet_training::{Engine, Observer};

use super::job::Job;
use crate::checkpoint::{self, ModelInfo};
use crate::journal::Journal;

/// Writes what happens: bar, log, picture, checkpoints.
pub(super) struct Watch<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) info: &'a ModelInfo,
    pub(super) journal: Journal,
    pub(super) bar: ProgressBar,
    pub(super) learning_rate: f64,
    pub(super) stop: &'static AtomicBool,
}

impl Observer for Watch<'_> {
    fn epoch_begins(&mut self, engine: &Engine, learning_rate: f64) {
        self.learning_rate = learning_rate;
        self.journal.log(&format!("epoch:  {}", engine.epoch));
        self.bar =
            report::bar(engine.trainer.blueprint.num_batches_per_epoch, &format!("epoch {}", engine.epoch));
    }

    fn step(&mut self, step: usize, _of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        self.bar.set_message(format!("loss {loss:.4}"));
    }

    fn epoch_ends(
        &mut self,
        engine: &Engine,
        report: &EpochReport,
        dice: &[f64],
        waited: Duration,
        best: bool,
    ) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        let rounded: Vec<String> = dice.iter().map(|value| format!("{value:.4}")).collect();
        self.journal.log(&format!("train loss : {:.4}", report.train_loss));
        self.journal.log(&format!("validation loss: {:.4}", report.validation_loss));
        self.journal.log(&format!("Average global foreground Dice: [{}]", rounded.join(", ")));
        self.journal.log(&format!("lr: {:.6}", report.learning_rate));
        self.files(engine, report, best).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        let wait = waited.as_secs_f64();
        self.journal
            .log(&format!("This epoch took {:.6} s ({wait:.2} s of it waiting for batches)", report.seconds));
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl Watch<'_> {
    fn files(&self, engine: &Engine, report: &EpochReport, best: bool) -> Result<()> {
        let (blueprint, output) = (&engine.trainer.blueprint, &self.job.output);
        let history = &engine.history;
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
        };
        progress(&output.join("progress.png"), &curves)?;
        let save = |name: &str| checkpoint::save(&output.join(name), engine, report.learning_rate, self.info);
        if blueprint.save_intermediate_checkpoints && engine.epoch.is_multiple_of(blueprint.save_every) {
            save("model_latest.model")?;
        }
        if best && blueprint.save_best_checkpoint && !self.job.args.disable_saving {
            save("model_best.model")?;
        }
        Ok(())
    }
}
