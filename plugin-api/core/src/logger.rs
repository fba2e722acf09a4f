//! Experiment loggers: they record what happens in a training.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::vocabulary::{Blueprint, EpochReport};

/// Records a training, for example in a file or in a tracking service. It cannot change the training, and an error of
/// the logger ends the logging only.
///
/// ```
/// use nnunet_plugin_api::vocabulary::EpochReport;
/// use nnunet_plugin_api::{EpochLog, ExperimentLogger, Result};
///
/// /// Keeps the best metric.
/// struct Best(f64);
///
/// impl ExperimentLogger for Best {
///     fn epoch_ends(&mut self, epoch: &EpochLog<'_>) -> Result<()> {
///         self.0 = self.0.max(epoch.report.metric);
///         Ok(())
///     }
/// }
///
/// let mut best = Best(0.0);
/// let report = EpochReport { metric: 0.8, ..EpochReport::default() };
/// best.epoch_ends(&EpochLog::new(report, &[0.7, 0.9])).unwrap();
/// assert_eq!(best.0, 0.8);
/// ```
pub trait ExperimentLogger: Send {
    /// Called once, before the first epoch.
    ///
    /// # Errors
    /// Returns an error if the logger cannot write.
    fn run_begins(&mut self, _run: &RunInfo) -> Result<()> {
        Ok(())
    }

    /// Called after every epoch.
    ///
    /// # Errors
    /// As [`ExperimentLogger::run_begins`].
    fn epoch_ends(&mut self, epoch: &EpochLog<'_>) -> Result<()>;

    /// Called once, after the last epoch.
    ///
    /// # Errors
    /// As [`ExperimentLogger::run_begins`].
    fn run_ends(&mut self, _end: &RunEnd) -> Result<()> {
        Ok(())
    }
}

/// Describes a training before it begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunInfo {
    /// Folder of the fold's model; a logger writes its files there too.
    pub folder: PathBuf,
    /// Name of the task.
    pub task: String,
    /// `2d`, `3d_lowres`, `3d_fullres` or `3d_cascade_fullres`.
    pub configuration: String,
    /// Name of the trainer.
    pub trainer: String,
    /// Identifier of the plans.
    pub plans: String,
    /// `0` to `4`, or `all`.
    pub fold: String,
    /// The first epoch of this run: above 0 when an earlier one is continued.
    pub first_epoch: usize,
    /// All values of the training.
    pub blueprint: Blueprint,
}

/// The results of an epoch, as passed to [`ExperimentLogger::epoch_ends`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EpochLog<'a> {
    /// Losses, metric, learning rate and time.
    pub report: EpochReport,
    /// Dice of every foreground class in the online evaluation; NaN where the class was not seen.
    pub dice: &'a [f64],
    /// Seconds of the epoch in which the network waited for batches.
    pub waited: f64,
    /// The smoothed metric is the best so far.
    pub best: bool,
}

impl<'a> EpochLog<'a> {
    /// A report and the Dice of every class; the other fields have their defaults.
    #[must_use]
    pub fn new(report: EpochReport, dice: &'a [f64]) -> Self {
        Self { report, dice, waited: 0.0, best: false }
    }
}

/// How a training ended.
///
/// ```
/// use nnunet_plugin_api::RunEnd;
///
/// let line = |end: &RunEnd| match end {
///     RunEnd::Finished => "finished".to_owned(),
///     RunEnd::Failed(message) => format!("failed: {message}"),
///     _ => "stopped".to_owned(),
/// };
/// assert_eq!(line(&RunEnd::Failed("loss NaN is not finite".to_owned())), "failed: loss NaN is not finite");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunEnd {
    /// All epochs are done.
    Finished,
    /// The user asked to stop; it can be continued.
    Stopped,
    /// An error ended the training: its message.
    Failed(String),
}
