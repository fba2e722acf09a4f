//! Schedules: they determine the learning rate.

use serde::{Deserialize, Serialize};

use crate::vocabulary::EpochReport;
use crate::{Config, Result};

/// Determines the learning rate of every epoch or step. `lr_schedule` in a trainer's table or on the command line names
/// one; a parameter group may have its own. Every group has an object of its own.
///
/// ```
/// use nnunet_plugin_api::{
///     Component, Info, Kind, Registration, Result, Schedule, SchedulePoint, inventory,
/// };
///
/// /// Falls linearly to 0, step by step.
/// struct Linear;
///
/// impl Schedule for Linear {
///     fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
///         Ok(at.initial_lr * (1.0 - at.position() / at.epochs as f64))
///     }
///
///     fn changes_every_step(&self) -> bool {
///         true
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Schedule, "Linear", "Falls linearly to 0, step by step.");
///     Component::schedule(info, |_config| Ok(Box::new(Linear)))
/// }));
///
/// let at = SchedulePoint { epoch: 5, step: 1, epochs: 10, steps: 2, initial_lr: 0.1, ..SchedulePoint::default() };
/// assert!((Linear.learning_rate(&at).unwrap() - 0.045).abs() < 1e-12);
/// ```
///
/// Source: v1's `poly_lr`, v2's `PolyLRScheduler` and the schedules of `torch.optim.lr_scheduler`.
pub trait Schedule: Send {
    /// The learning rate at a point of the training: finite and not negative.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64>;

    /// Whether the learning rate changes inside an epoch: it is then asked for before every step, and otherwise before the
    /// first step of every epoch.
    fn changes_every_step(&self) -> bool {
        false
    }

    /// Called after validation of every epoch, for schedules that follow results. `at` is the first step of the epoch.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn epoch_ends(&mut self, _at: &SchedulePoint, _results: &EpochResults) -> Result<()> {
        Ok(())
    }

    /// What the schedule needs to continue, for the checkpoint. It is also asked for before every epoch, in case the epoch
    /// has to be repeated.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn save_state(&self) -> Result<Config> {
        Ok(Config::new())
    }

    /// Takes over what [`Schedule::save_state`] returned, also before the first epoch.
    ///
    /// # Errors
    /// Returns an error if the state is not one of this schedule's.
    fn load_state(&mut self, _state: Config) -> Result<()> {
        Ok(())
    }
}

/// A point of a training, for a parameter group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SchedulePoint {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The step in the epoch, from 0.
    pub step: usize,
    /// Number of epochs of the training.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// `initial_lr` of the trainer times the factor of the parameter group.
    pub initial_lr: f64,
    /// Pattern of the parameter group; empty for parameters of no group.
    pub group: String,
}

impl SchedulePoint {
    /// Epochs done, with the part of the present one.
    #[must_use]
    pub fn position(&self) -> f64 {
        self.epoch as f64 + self.step as f64 / self.steps.max(1) as f64
    }
}

/// Results of an epoch that a schedule may follow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EpochResults {
    /// Losses and metric of the epoch.
    pub report: EpochReport,
    /// Moving average of the training loss (v1's `train_loss_MA`).
    pub train_loss_average: f64,
}
