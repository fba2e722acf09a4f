//! What a run leaves behind while it goes: bar, log, picture, checkpoints.

use anyhow::Result;
use indicatif::ProgressBar;
use nnunet_host::report;
use nnunet_pictures::{Curves, progress};
use nnunet_plugin_api::Error as ComponentError;
use nnunet_training::{Engine, EpochOutcome, Observer};

use super::job::Job;
use super::loggers::Loggers;
use super::signals;
use crate::checkpoint;
use crate::journal::Journal;
use crate::model_info::ModelInfo;

/// Writes what happens.
pub(super) struct Watch<'a> {
    job: &'a Job<'a>,
    info: &'a ModelInfo,
    journal: Journal,
    pub(super) loggers: Loggers,
    bar: ProgressBar,
}

impl<'a> Watch<'a> {
    pub(super) fn new(job: &'a Job<'a>, info: &'a ModelInfo, journal: Journal, loggers: Loggers) -> Self {
        Self { job, info, journal, loggers, bar: ProgressBar::hidden() }
    }

    /// A line of the log.
    pub(super) fn log(&mut self, text: &str) {
        self.journal.log(text);
    }

    fn checkpoint(&mut self, name: &str, engine: &Engine) -> Result<()> {
        checkpoint::save(&self.job.output.join(name), engine, self.info)
    }

    fn files(&mut self, engine: &Engine, best: bool) -> Result<()> {
        let (blueprint, history) = (&engine.trainer.blueprint, &engine.history);
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
        };
        progress(&self.job.output.join("progress.png"), &curves)?;
        if blueprint.save_intermediate_checkpoints && engine.epoch.is_multiple_of(blueprint.save_every) {
            self.checkpoint("model_latest.model", engine)?;
        }
        if best && blueprint.save_best_checkpoint && !self.job.args.disable_saving {
            self.checkpoint("model_best.model", engine)?;
        }
        Ok(())
    }
}

impl Observer for Watch<'_> {
    fn epoch_begins(&mut self, engine: &Engine, _learning_rate: f64) {
        self.journal.log(&format!("epoch:  {}", engine.epoch));
        self.bar =
            report::bar(engine.trainer.blueprint.num_batches_per_epoch, &format!("epoch {}", engine.epoch));
    }

    fn step(&mut self, step: usize, _of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        self.bar.set_message(format!("loss {loss:.4}"));
    }

    fn epoch_ends(&mut self, engine: &Engine, outcome: &EpochOutcome) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        self.journal.epoch(outcome);
        self.files(engine, outcome.best).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        self.loggers.epoch(outcome);
        self.journal.log(&format!("This epoch took {:.6} s", outcome.report.seconds));
        Ok(())
    }

    fn rolled_back(&mut self, engine: &Engine, error: &ComponentError) {
        self.bar.finish_and_clear();
        let epoch = engine.epoch;
        self.journal.log(&format!(
            "{error}; back to the start of epoch {epoch}, without that step and with half the learning rate"
        ));
    }

    fn cancelled(&self) -> bool {
        signals::asked_to_stop()
    }
}
