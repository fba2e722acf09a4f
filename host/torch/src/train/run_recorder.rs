//! Records a run while it goes on: progress bar, logs, picture, checkpoints.

use anyhow::Result;
use indicatif::ProgressBar;
use nnunet_cli::report;
use nnunet_pictures::{Curves, progress};
use nnunet_plugin_api::Error as ComponentError;
use nnunet_training::{Engine, EpochOutcome, Observer};
use serde_json::json;

use super::earlier_validation;
use super::label_dice::LabelDice;
use super::loggers::Loggers;
use super::overview::Overview;
use super::progress_log::ProgressLog;
use super::remaining_time::{self, RemainingTime};
use super::signals;
use crate::fold_training::{CheckpointKind, FoldFiles, FoldSettings};

/// Called by the engine for each event of a run.
pub(super) struct RunRecorder<'a> {
    settings: &'a FoldSettings,
    pub(super) files: Box<dyn FoldFiles + 'a>,
    pub(super) loggers: Loggers,
    progress: ProgressLog,
    bar: ProgressBar,
    labels: LabelDice,
    time: RemainingTime,
    /// The epoch that is under way.
    epoch: usize,
    /// The epoch that the run began with.
    first_epoch: usize,
    /// Of this training: steps in an epoch, validation steps, epochs.
    lengths: [usize; 3],
}

impl<'a> RunRecorder<'a> {
    pub(super) fn new(
        settings: &'a FoldSettings,
        files: Box<dyn FoldFiles + 'a>,
        loggers: Loggers,
        labels: LabelDice,
        engine: &Engine,
    ) -> Result<Self> {
        let blueprint = &engine.trainer.blueprint;
        let progress = ProgressLog::create(files.log_path(), &settings.output)?;
        let lengths =
            [blueprint.num_batches_per_epoch, blueprint.num_val_batches_per_epoch, blueprint.max_num_epochs];
        let (bar, time, epoch) = (ProgressBar::hidden(), RemainingTime::default(), engine.epoch);
        let first_epoch = epoch;
        Ok(Self { settings, files, loggers, progress, bar, labels, time, epoch, first_epoch, lengths })
    }

    /// Says what is trained.
    pub(super) fn begin(&mut self, overview: &Overview) {
        overview.lines.iter().for_each(|line| self.files.log(line));
        report::event("training", &overview.values);
        self.progress.note("training", overview.values.clone());
    }

    /// A line of the log.
    pub(super) fn log(&mut self, text: &str) {
        self.files.log(text);
        self.progress.note("message", json!(text));
    }

    /// Writes a checkpoint.
    pub(super) fn save(&mut self, kind: CheckpointKind, engine: &Engine) -> Result<()> {
        self.remove_earlier_validation(kind, engine)?;
        self.files.save(kind, engine)?;
        let name = self.files.checkpoint(kind).file_name().map(|name| name.to_string_lossy().into_owned());
        let file = self.files.checkpoint(kind).display().to_string();
        report::event("checkpoint", &json!({ "file": file }));
        self.progress.note("checkpoint", json!(name));
        Ok(())
    }

    /// Before the fold gets a state of other weights than were validated. The best checkpoint is none: until a later one is
    /// written, the fold is that of the training before.
    fn remove_earlier_validation(&mut self, kind: CheckpointKind, engine: &Engine) -> Result<()> {
        let replaces = kind != CheckpointKind::Best && self.settings.saves;
        if replaces && engine.epoch > self.first_epoch {
            let removed = earlier_validation::remove(&self.settings.output)?;
            if !removed.is_empty() {
                self.log(&format!("removed the validation of the earlier training: {}", removed.join(", ")));
            }
        }
        Ok(())
    }

    /// The estimate that is made in the first epoch.
    fn announce(&mut self, seconds: f64) {
        let time = remaining_time::seconds(seconds);
        self.files.log(&format!("the training will take about {}", remaining_time::until(time)));
        report::event("estimate", &json!({ "seconds": seconds }));
        self.progress.note("estimated_seconds", json!(seconds));
    }

    /// The time that is left after an epoch.
    fn tell_remaining(&mut self, epoch: usize) {
        let left = self.lengths[2].saturating_sub(epoch);
        if let Some(time) = self.time.of(left).filter(|_| left > 0) {
            let epochs =
                if left == 1 { "1 epoch is left".to_owned() } else { format!("{left} epochs are left") };
            self.files.log(&format!("{epochs}: about {}", remaining_time::until(time)));
        }
    }

    /// The Dice of the labels in the log, with their names.
    fn log_labels(&mut self) {
        let last = self.labels.last();
        let shown = last.iter().map(|(name, dice)| format!("{name} {dice:.4}")).collect::<Vec<_>>();
        if !shown.is_empty() {
            self.files.log(&format!("Dice by label: {}", shown.join(", ")));
        }
    }

    fn write_files(&mut self, engine: &Engine, outcome: &EpochOutcome) -> Result<()> {
        let (blueprint, history) = (&engine.trainer.blueprint, &engine.history);
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
            by_label: &self.labels.curves(),
        };
        progress(&self.settings.output.join("progress.png"), &curves)?;
        self.progress.epoch(outcome, history, &self.labels)?;
        // Before the latest one: a run that is killed in between trains this epoch again, and writes both.
        if self.files.is_best(outcome) && blueprint.save_best_checkpoint && self.settings.saves {
            self.save(CheckpointKind::Best, engine)?;
        }
        if blueprint.save_intermediate_checkpoints && engine.epoch.is_multiple_of(blueprint.save_every) {
            self.save(CheckpointKind::Latest, engine)?;
        }
        Ok(())
    }
}

impl Observer for RunRecorder<'_> {
    fn epoch_begins(&mut self, engine: &Engine, learning_rate: f64) {
        self.files.epoch_begins(engine.epoch, learning_rate);
        let [steps, _, epochs] = self.lengths;
        self.bar = report::bar(steps, &format!("epoch {} ({} of {epochs})", engine.epoch, engine.epoch + 1));
        self.epoch = engine.epoch;
    }

    fn step(&mut self, step: usize, of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        let [_, validation, epochs] = self.lengths;
        let open = epochs.saturating_sub(self.epoch);
        let left = self.time.of(open).map(remaining_time::readable);
        let left = left.map(|left| format!("; all epochs {left}, this one")).unwrap_or_default();
        self.bar.set_message(format!("loss {loss:.4}{left}"));
        if let Some(each) = self.time.step(step, of, validation) {
            self.announce(each * open as f64);
        }
    }

    fn epoch_ends(&mut self, engine: &Engine, outcome: &EpochOutcome) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        self.files.epoch_ends(outcome);
        self.labels.push(outcome);
        self.log_labels();
        for (name, value) in &outcome.metrics {
            self.files.log(&format!("{name}: {value:.4}"));
        }
        self.write_files(engine, outcome).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        self.loggers.epoch(outcome);
        self.files.epoch_is_saved(outcome);
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

/// A progress bar alone, where nothing is recorded.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(steps: usize, what: &str) -> Self {
        Self(report::bar(steps, what))
    }

    /// None to be seen.
    pub(super) fn hidden() -> Self {
        Self(ProgressBar::hidden())
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
