//! The interface between a run and its caller.

use nnunet_plugin_api::{EpochReport, Error, Metrics, Result};

use crate::state::Engine;
use crate::step_times::StepTimes;

/// The results of an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochOutcome {
    /// What hooks see too.
    pub report: EpochReport,
    /// By foreground class that occurred.
    pub dice: Vec<f64>,
    /// The numbers of these classes, or regions, from 1.
    pub classes: Vec<usize>,
    /// What the steps spent their time on.
    pub times: StepTimes,
    /// Metrics of the trainer.
    pub metrics: Metrics,
    /// The network is the best so far, by the trainer's criterion or the metric's moving average.
    pub best: bool,
    /// Learning rate of the next epoch.
    pub next_learning_rate: f64,
}

/// Called by a run for each event.
pub trait Observer {
    /// A new epoch begins.
    fn epoch_begins(&mut self, engine: &Engine, learning_rate: f64);
    /// A training step is done.
    fn step(&mut self, step: usize, of: usize, loss: f64);
    /// An epoch is over; the engine counts it already.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn epoch_ends(&mut self, engine: &Engine, outcome: &EpochOutcome) -> Result<()>;
    /// A value was not finite; the engine is back at the start of the epoch, which will be taken up again.
    fn rolled_back(&mut self, engine: &Engine, error: &Error);
    /// A training step could not be recorded as a CUDA graph; from here on its kernels are started one by one.
    fn graph_refused(&mut self, _error: &Error) {}
    /// Whether the user asked to stop. Asked before every step.
    fn cancelled(&self) -> bool;
}
