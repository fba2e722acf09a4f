//! Records a run while it goes on: progress bar, logs, picture, checkpoints.

use anyhow::Result;
use indicatif::ProgressBar;
use nnunet_cli::report;
use nnunet_pictures::{Curves, progress};
use nnunet_plugin_api::Error as ComponentError;
use nnunet_training::{Engine, EpochOutcome, Observer};
use serde_json::json;

use super::loggers::Loggers;
use super::progress_log::ProgressLog;
use super::signals;
use crate::fold_training::{CheckpointKind, FoldFiles, FoldSettings};

/// Called by the engine for each event of a run.
pub(super) struct RunRecorder<'a> {
    settings: &'a FoldSettings,
    pub(super) files: Box<dyn FoldFiles + 'a>,
    pub(super) loggers: Loggers,
    progress: ProgressLog,
    bar: ProgressBar,
}

impl<'a> RunRecorder<'a> {
    pub(super) fn new(
        settings: &'a FoldSettings,
        files: Box<dyn FoldFiles + 'a>,
        loggers: Loggers,
    ) -> Result<Self> {
        let progress = ProgressLog::create(files.log_path(), &settings.output)?;
        Ok(Self { settings, files, loggers, progress, bar: ProgressBar::hidden() })
    }

    /// A line of the log.
    pub(super) fn log(&mut self, text: &str) {
        self.files.log(text);
        self.progress.note("message", json!(text));
    }

    /// Writes a checkpoint.
    pub(super) fn save(&mut self, kind: CheckpointKind, engine: &Engine) -> Result<()> {
        self.files.save(kind, engine)?;
        let name = self.files.checkpoint(kind).file_name().map(|name| name.to_string_lossy().into_owned());
        self.progress.note("checkpoint", json!(name));
        Ok(())
    }

    fn write_files(&mut self, engine: &Engine, outcome: &EpochOutcome) -> Result<()> {
        let (blueprint, history) = (&engine.trainer.blueprint, &engine.history);
        let curves = Curves {
            train_loss: &history.train_losses,
            validation_loss: &history.validation_losses,
            metric: &history.metrics,
        };
        progress(&self.settings.output.join("progress.png"), &curves)?;
        self.progress.epoch(outcome, history)?;
        if blueprint.save_intermediate_checkpoints && engine.epoch.is_multiple_of(blueprint.save_every) {
            self.save(CheckpointKind::Latest, engine)?;
        }
        if self.files.is_best(outcome) && blueprint.save_best_checkpoint && self.settings.saves {
            self.save(CheckpointKind::Best, engine)?;
        }
        Ok(())
    }
}

impl Observer for RunRecorder<'_> {
    fn epoch_begins(&mut self, engine: &Engine, learning_rate: f64) {
        self.files.epoch_begins(engine.epoch, learning_rate);
        self.bar =
            report::bar(engine.trainer.blueprint.num_batches_per_epoch, &format!("epoch {}", engine.epoch));
    }

    fn step(&mut self, step: usize, _of: usize, loss: f64) {
        self.bar.set_position(step as u64 + 1);
        self.bar.set_message(format!("loss {loss:.4}"));
    }

    fn epoch_ends(&mut self, engine: &Engine, outcome: &EpochOutcome) -> nnunet_plugin_api::Result<()> {
        self.bar.finish_and_clear();
        self.files.epoch_ends(outcome);
        for (name, value) in &outcome.metrics {
            self.files.log(&format!("{name}: {value:.4}"));
        }
        self.write_files(engine, outcome).map_err(|error| ComponentError::message(format!("{error:#}")))?;
        self.loggers.epoch(outcome);
        self.files.epoch_is_saved(outcome);
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
