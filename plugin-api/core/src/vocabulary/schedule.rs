//! What changes over the epochs, which count from 0: learning rate, momentum, patience.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Learning rate over the epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum LearningRateSchedule {
    /// `initial_lr * (1 - epoch / max_num_epochs)^exponent`.
    Poly {
        /// Exponent.
        exponent: f64,
    },
    /// `initial_lr` throughout.
    Constant,
    /// A tenth of the rate from each of these epochs on.
    Steps {
        /// First epochs of the lower rates.
        epochs: Vec<usize>,
    },
    /// A tenth of the rate between two epochs, then `Poly` from there to the end.
    StepThenPoly {
        /// First epoch of the tenth, and of the decay.
        epochs: [usize; 2],
        /// Exponent.
        exponent: f64,
    },
    /// `Poly` over some epochs, then triangles up and down.
    PolyThenCycle {
        /// Epochs before the cycles.
        epochs: usize,
        /// Exponent.
        exponent: f64,
        /// Epochs of a cycle.
        length: usize,
        /// Rate where a cycle begins.
        lowest: f64,
        /// Rate in the middle of a cycle.
        highest: f64,
    },
    /// Rises to `initial_lr`, then `Poly`. As in v1 the first two epochs are alike, and the decay does not reach 0.
    WarmUpPoly {
        /// Epochs of rising.
        epochs: usize,
        /// Exponent.
        exponent: f64,
    },
    /// Falls when the moving average of the training loss no longer does (torch's `ReduceLROnPlateau`).
    Plateau {
        /// The rate multiplies by this.
        factor: f64,
        /// Epochs without improvement that are borne.
        patience: usize,
        /// What counts as an improvement.
        threshold: f64,
    },
}

/// Momentum that falls linearly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MomentumSchedule {
    /// Momentum until then.
    pub first: f64,
    /// Momentum at the end of the fall.
    pub last: f64,
    /// The last epoch before the fall.
    pub after: usize,
    /// Epochs of the fall.
    pub epochs: usize,
}

impl MomentumSchedule {
    /// Momentum of an epoch. v1 sets it at the end of an epoch, by that epoch.
    #[must_use]
    pub fn at(&self, epoch: usize) -> f64 {
        let fallen = epoch.saturating_sub(1).saturating_sub(self.after) as f64;
        self.first - (self.first - self.last) / self.epochs.max(1) as f64 * fallen
    }
}

/// Ends a training whose loss no longer falls (v1 `manage_patience`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Patience {
    /// Epochs without improvement of the training loss's moving average.
    pub epochs: usize,
    /// While the learning rate is higher than this, half the patience is given again.
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
