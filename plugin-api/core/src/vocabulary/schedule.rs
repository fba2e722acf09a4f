//! Schedules of learning rate and momentum, and early stopping. Epochs count from 0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ComponentChoice;
use crate::{Error, Result};

/// Learning rate schedules: names of components, with the parameters of those that v1 and v2 use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum LearningRateSchedule {
    /// `initial_lr * (1 - epoch / max_num_epochs)^exponent`.
    Poly {
        /// Exponent.
        exponent: f64,
    },
    /// `initial_lr` in all epochs.
    Constant,
    /// Multiplied by 0.1 at each of these epochs.
    Steps {
        /// Epochs at which the rate is reduced.
        epochs: Vec<usize>,
    },
    /// `initial_lr`, then a tenth of it between two epochs, then polynomial decay to the last epoch.
    StepThenPoly {
        /// First epoch of the reduced rate, and of the decay.
        epochs: [usize; 2],
        /// Exponent.
        exponent: f64,
    },
    /// Polynomial decay over some epochs, then a triangular cyclic schedule.
    PolyThenCycle {
        /// Epochs before the cycles.
        epochs: usize,
        /// Exponent.
        exponent: f64,
        /// Epochs of a cycle.
        length: usize,
        /// Rate at the beginning of a cycle.
        lowest: f64,
        /// Rate in the middle of a cycle.
        highest: f64,
    },
    /// Linear warm-up to `initial_lr`, then polynomial decay. As in v1 the first two epochs have the same rate, and the
    /// decay does not reach 0.
    WarmUpPoly {
        /// Epochs of the warm-up.
        epochs: usize,
        /// Exponent.
        exponent: f64,
    },
    /// Linear warm-up to `initial_lr`, then polynomial decay to the last epoch (v2's `nnUNetTrainer_warmup`).
    LinearWarmUpPoly {
        /// Epochs of the warm-up.
        epochs: usize,
        /// Exponent.
        exponent: f64,
    },
    /// Half a period of a cosine, from `initial_lr` to 0 (`CosineAnnealingLR` of PyTorch).
    Cosine,
    /// Reduced when the moving average of the training loss no longer decreases (`ReduceLROnPlateau` of PyTorch).
    Plateau {
        /// Factor by which the rate is reduced.
        factor: f64,
        /// Epochs without improvement to tolerate (patience).
        patience: usize,
        /// Smallest decrease that counts as an improvement.
        threshold: f64,
    },
    /// Any other schedule, by name with its parameters: one of a plugin, or a built-in one such as `cyclic`, or with
    /// parameters that are not listed here.
    #[serde(untagged)]
    Other(ComponentChoice),
}

impl LearningRateSchedule {
    /// The component and its parameters.
    ///
    /// ```
    /// use nnunet_plugin_api::vocabulary::LearningRateSchedule;
    ///
    /// let choice = LearningRateSchedule::Poly { exponent: 0.9 }.choice().unwrap();
    /// assert_eq!((choice.name.as_str(), &choice.parameters["exponent"]), ("poly", &0.9.into()));
    /// ```
    ///
    /// # Errors
    /// Returns an error if a parameter is not finite.
    pub fn choice(&self) -> Result<ComponentChoice> {
        let value = serde_json::to_value(self);
        value
            .and_then(serde_json::from_value)
            .map_err(|error| Error::message(format!("learning rate schedule: {error}")))
    }
}

/// Momentum that decreases linearly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MomentumSchedule {
    /// Momentum of the first epochs.
    pub first: f64,
    /// Momentum at the end.
    pub last: f64,
    /// Last epoch with the first momentum.
    pub after: usize,
    /// Number of epochs over which the momentum decreases.
    pub epochs: usize,
}

impl MomentumSchedule {
    /// Momentum of an epoch. v1 sets the momentum at the end of an epoch, so it follows the schedule one epoch late.
    ///
    /// ```
    /// use nnunet_plugin_api::vocabulary::MomentumSchedule;
    ///
    /// let schedule = MomentumSchedule { first: 0.99, last: 0.9, after: 800, epochs: 200 };
    /// assert_eq!(schedule.at(500), 0.99);
    /// assert!((schedule.at(901) - 0.945).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn at(&self, epoch: usize) -> f64 {
        let fallen = epoch.saturating_sub(1).saturating_sub(self.after) as f64;
        self.first - (self.first - self.last) / self.epochs.max(1) as f64 * fallen
    }
}

/// Early stopping when the training loss no longer decreases (v1 `manage_patience`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Patience {
    /// Epochs without improvement of the moving average of the training loss to tolerate.
    pub epochs: usize,
    /// While the learning rate is higher than this, training continues for another half of these epochs.
    pub lr_threshold: f64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { epochs: 50, lr_threshold: 1e-6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn momentum_falls_as_in_v1() {
        let schedule = MomentumSchedule { first: 0.99, last: 0.9, after: 800, epochs: 200 };
        assert_eq!(schedule.at(0), 0.99);
        assert_eq!(schedule.at(801), 0.99);
        assert!((schedule.at(901) - 0.945).abs() < 1e-12);
    }
}
