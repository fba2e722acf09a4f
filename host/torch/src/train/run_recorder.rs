//! Records a run while it goes on: progress bar, logs, picture, checkpoints.

use std::time::Instant;

use anyhow::Result;
use indicatif::ProgressBar;
use nnunet_cli::report;
use nnunet_pictures::{Curves, progress};
use nnunet_plugin_api::Error as ComponentError;
use nnunet_training::{Engine, EpochOutcome, Observer};
use serde_json::json;

use super::job::Job;
use super::loggers::Loggers;
use super::progress_log::ProgressLog;
use super::signals;
use crate::v1::checkpoint;
use crate::v1::model_info::ModelInfo;
use crate::v1::training_log::TrainingLog;

/// Called by the engine for each event of a run.
pub(super) struct RunRecorder<'a> {
    job: &'a Job<'a>,
    info: &'a ModelInfo,
    log: TrainingLog,
    pub(super) loggers: Loggers,
    progress: ProgressLog,
    bar: ProgressBar,
}

impl<'a> RunRecorder<'a> {
    pub(super) fn new(
        job: &'a Job<'a>,
        info: &'a ModelInfo,
        log: TrainingLog,
        loggers: Loggers,
    ) -> Result<Self> {
        let progress = ProgressLog::create(log.path(), &job.output)?;
        Ok(Self { job, info, log, progress, loggers, bar: ProgressBar::hidden() })
    }

    /// A line of the log.
    pub(super) fn log(&mut self, text: &str) {
        self.log.log(text);
        self.progress.note("message", json!(text));
    }

    /// Writes a checkpoint; `announcement` is v1's.
    pub(super) fn checkpoint(&mut self, name: &str, announcement: &str, engine: &Engine) -> Result<()> {
        self.log.log(announcement);
        let start = Instant::now();
        checkpoint::save(&self.job.output.join(name), engine, self.info)?;
        self.log.log(&format!("done, saving took {:.2} seconds", start.elapsed().as_secs_f64()));
        self.progress.note("checkpoint", json!(name));
        Ok(())
    }

    fn files(&mut self, engine: &Engine, outcome: &EpochOutcome) -> Result<()> {
        let (blueprint, history) = (&engine.trainer.blueprint, &engine.history);
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
        };
        progress(&self.job.output.join("progress.png"), &curves)?;
        self.progress.epoch(outcome, history)?;
        if blueprint.save_intermediate_checkpoints && engine.epoch.is_multiple_of(blueprint.save_every) {
            self.checkpoint("model_latest.model", "saving scheduled checkpoint file...", engine)?;
        }
        if outcome.best && blueprint.save_best_checkpoint && !self.job.args.disable_saving {
            self.checkpoint("model_best.model", "saving checkpoint...", engine)?;
        }
        Ok(())
    }
}

impl Observer for RunRecorder<'_> {
    fn epoch_begins(&mut self, engine: &Engine, _learning_rate: f64) {
        self.log.log(&format!("\nepoch:  {}", engine.epoch));
        self.bar =
            report::bar(engine.trainer.blueprint.num_batches_per_epoch, &format!("epoch {}", engine.epoch));
    }

    fn step(&mut self, step: usize, _of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        self.bar.set_message(format!("loss {loss:.4}"));
    }

    fn epoch_ends(&mut self, engine: &Engine, outcome: &EpochOutcome) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        self.log.epoch(outcome);
        self.files(engine, outcome).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        self.loggers.epoch(outcome);
        self.log.log(&format!("This epoch took {:.6} s\n", outcome.report.seconds));
        Ok(())
    }

    fn rolled_back(&mut self, engine: &Engine, error: &ComponentError) {
        self.bar.finish_and_clear();
        let epoch = engine.epoch;
        self.log(&format!(
            "{error}; back to the start of epoch {epoch}, without that step and with half the learning rate"
        ));
    }

    fn graph_refused(&mut self, error: &ComponentError) {
        self.log(&format!("--cuda_graph auto: a training step cannot be recorded, its kernels are started one by one: {error}"));
    }

    fn cancelled(&self) -> bool {
        signals::asked_to_stop()
    }
}

/// A progress bar alone, for the learning-rate finder.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(steps: usize, what: &str) -> Self {
        Self(report::bar(steps, what))
    }
}

impl Observer for Bar {
    fn epoch_begins(&mut self, _engine: &Engine, _learning_rate: f64) {}

    fn step(&mut self, step: usize, _of: usize, loss: f64) {
        self.0.set_position(step as u64 + 1);
        self.0.set_message(format!("loss {loss:.4}"));
    }

    fn epoch_ends(&mut self, _engine: &Engine, _outcome: &EpochOutcome) -> nnunet_plugin_api::Result<()> {
        Ok(())
    }

    fn rolled_back(&mut self, _engine: &Engine, _error: &ComponentError) {}

    fn cancelled(&self) -> bool {
        signals::asked_to_stop()
    }
}
