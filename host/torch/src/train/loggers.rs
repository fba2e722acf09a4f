//! The experiment loggers that the configuration asks for.

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_engine::session::Session;
use nnunet_plugin_api::{EpochLog, ExperimentLogger, Result as ComponentResult, RunEnd, RunInfo};
use nnunet_training::{Engine, EpochOutcome, Stopped};

use crate::fold_training::FoldSettings;

/// Loggers by name. One that fails is reported and not called again; training continues.
pub(super) struct Loggers(Vec<(String, Box<dyn ExperimentLogger>)>);

impl Loggers {
    /// Makes the loggers that the configuration files name.
    ///
    /// # Errors
    /// Returns an error if a logger is not known or cannot be made.
    pub(super) fn of(session: &Session) -> Result<Self> {
        let mut all = Vec::new();
        for (name, config) in session.loggers() {
            let logger = session.registry.logger(name, config);
            all.push((name.to_owned(), logger.with_context(|| format!("[loggers.{name}]"))?));
        }
        Ok(Self(all))
    }

    /// Passes on the beginning of the run.
    pub(super) fn begin(&mut self, settings: &FoldSettings, engine: &Engine) {
        let mut run = RunInfo::default();
        run.folder.clone_from(&settings.output);
        run.task.clone_from(&settings.dataset);
        run.configuration.clone_from(&settings.configuration);
        run.trainer.clone_from(&settings.trainer);
        run.plans.clone_from(&settings.plans);
        run.fold.clone_from(&settings.fold);
        run.first_epoch = engine.epoch;
        run.blueprint.clone_from(&engine.trainer.blueprint);
        self.call(|logger| logger.run_begins(&run));
    }

    /// Passes on an epoch.
    pub(super) fn epoch(&mut self, outcome: &EpochOutcome) {
        let mut epoch = EpochLog::new(outcome.report, &outcome.dice);
        epoch.waited = outcome.times.data.as_secs_f64();
        epoch.best = outcome.best;
        self.call(|logger| logger.epoch_ends(&epoch));
    }

    /// Passes on the end of the run.
    pub(super) fn end(&mut self, ended: &ComponentResult<Stopped>) {
        let end = match ended {
            Ok(Stopped::Cancelled) => RunEnd::Stopped,
            Ok(_) => RunEnd::Finished,
            Err(error) => RunEnd::Failed(error.to_string()),
        };
        self.call(|logger| logger.run_ends(&end));
    }

    fn call(&mut self, mut what: impl FnMut(&mut dyn ExperimentLogger) -> ComponentResult<()>) {
        self.0.retain_mut(|(name, logger)| match what(&mut **logger) {
            Ok(()) => true,
            Err(error) => {
                report::line(&format!("logger {name} is not used any more: {error}"));
                false
            }
        });
    }
}
