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
use super::label_dice::LabelDice;
use super::loggers::Loggers;
use super::progress_log::ProgressLog;
use super::remaining_time::{self, RemainingTime};
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
    labels: LabelDice,
    time: RemainingTime,
    /// The epoch that is under way.
    epoch: usize,
    /// Of this training: steps in an epoch, validation steps, epochs.
    lengths: [usize; 3],
}

impl<'a> RunRecorder<'a> {
    pub(super) fn new(
        job: &'a Job<'a>,
        info: &'a ModelInfo,
        log: TrainingLog,
        loggers: Loggers,
        engine: &Engine,
    ) -> Result<Self> {
        let blueprint = &engine.trainer.blueprint;
        let regions = blueprint.regions.as_ref();
        let classes = regions.map_or(engine.num_classes.saturating_sub(1), |all| all.regions.len());
        let labels = LabelDice::new(classes, regions, &job.preprocessed, &job.output, engine.epoch);
        let progress = ProgressLog::create(log.path(), &job.output)?;
        let lengths =
            [blueprint.num_batches_per_epoch, blueprint.num_val_batches_per_epoch, blueprint.max_num_epochs];
        let (bar, time) = (ProgressBar::hidden(), RemainingTime::default());
        Ok(Self { job, info, log, progress, loggers, bar, labels, time, epoch: engine.epoch, lengths })
    }

    /// A line of the log.
    pub(super) fn log(&mut self, text: &str) {
        self.log.log(text);
        self.progress.note("message", json!(text));
    }

    /// A line for programs.
    pub(super) fn note(&mut self, event: &str, what: serde_json::Value) {
        self.progress.note(event, what);
    }

    /// Writes a checkpoint; `announcement` is v1's.
    pub(super) fn checkpoint(&mut self, name: &str, announcement: &str, engine: &Engine) -> Result<()> {
        self.log.log(announcement);
        let start = Instant::now();
        checkpoint::save(&self.job.output.join(name), engine, self.info)?;
        self.log.log(&format!("done, saving took {:.2} seconds", start.elapsed().as_secs_f64()));
        report::event("checkpoint", &json!({ "file": self.job.output.join(name).display().to_string() }));
        self.progress.note("checkpoint", json!(name));
        Ok(())
    }

    /// The estimate that is made in the first epoch.
    fn announce(&mut self, seconds: f64) {
        let time = remaining_time::seconds(seconds);
        let end = remaining_time::end(time).map(|end| format!(", until {end}")).unwrap_or_default();
        self.log.log(&format!("the training will take about {}{end}", remaining_time::readable(time)));
        report::event("estimate", &json!({ "seconds": seconds }));
        self.progress.note("estimated_seconds", json!(seconds));
    }

    /// The time that is left after an epoch.
    fn tell_remaining(&mut self, epoch: usize) {
        let left = self.lengths[2].saturating_sub(epoch);
        let Some(time) = self.time.of(left).filter(|_| left > 0) else { return };
        let end = remaining_time::end(time).map(|end| format!(", until {end}")).unwrap_or_default();
        self.log.log(&format!("{left} epochs are left: about {}{end}", remaining_time::readable(time)));
    }

    fn files(&mut self, engine: &Engine, outcome: &EpochOutcome) -> Result<()> {
        let (blueprint, history) = (&engine.trainer.blueprint, &engine.history);
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
            by_label: &self.labels.curves(),
        };
        progress(&self.job.output.join("progress.png"), &curves)?;
        self.progress.epoch(outcome, history, &self.labels)?;
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
        let [steps, _, epochs] = self.lengths;
        self.bar = report::bar(steps, &format!("epoch {} of {epochs}", engine.epoch + 1));
        self.epoch = engine.epoch;
    }

    fn step(&mut self, step: usize, of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        let [_, validation, epochs] = self.lengths;
        let left = self.time.of(epochs - self.epoch).map(remaining_time::readable);
        let left = left.map(|left| format!("; all epochs {left}, this one")).unwrap_or_default();
        self.bar.set_message(format!("loss {loss:.4}{left}"));
        if let Some(each) = self.time.step(step, of, validation) {
            self.announce(each * (epochs - self.epoch) as f64);
        }
    }

    fn epoch_ends(&mut self, engine: &Engine, outcome: &EpochOutcome) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        self.labels.push(outcome);
        self.log.epoch(outcome, &self.labels.last());
        self.files(engine, outcome).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        self.loggers.epoch(outcome);
        self.log.log(&format!("This epoch took {:.6} s\n", outcome.report.seconds));
        self.time.epoch(outcome.report.seconds);
        self.tell_remaining(engine.epoch);
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
