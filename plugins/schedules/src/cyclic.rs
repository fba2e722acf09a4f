//! Triangular cyclic rates (Smith 2017).

use nnunet_plugin_core::{Result, Schedule, SchedulePoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{poly, position, schedule};

schedule!(
    Cyclic,
    "cyclic",
    "Rises and falls linearly between two rates (Smith 2017).",
    "`CyclicLR` of PyTorch, mode `triangular`. The two rates are given as parts of `initial_lr`."
);
schedule!(
    PolyThenCycle,
    "poly_then_cycle",
    "Polynomial decay over some epochs, then a triangular cyclic rate.",
    "v1: `nnUNetTrainerV2_cycleAtEnd`."
);

/// Parameters of `cyclic`, and the schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Cyclic {
    /// Epochs of a cycle.
    #[schemars(range(min = 1))]
    length: usize,
    /// Rate at the beginning of a cycle, as a part of `initial_lr`.
    #[schemars(range(min = 0.0))]
    lowest: f64,
    /// Rate in the middle of a cycle, as a part of `initial_lr`.
    #[schemars(range(min = 0.0))]
    highest: f64,
    /// The rate changes every step instead of every epoch.
    per_step: bool,
}

impl Default for Cyclic {
    fn default() -> Self {
        Self { length: 100, lowest: 0.1, highest: 1.0, per_step: false }
    }
}

impl Schedule for Cyclic {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        let length = self.length.max(1) as f64;
        let in_cycle = position(at, self.per_step) % length;
        let height = 1.0 - (2.0 * in_cycle / length - 1.0).abs();
        Ok(at.initial_lr * (self.lowest + (self.highest - self.lowest) * height))
    }

    fn changes_every_step(&self) -> bool {
        self.per_step
    }
}

/// Parameters of `poly_then_cycle`, and the schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PolyThenCycle {
    /// Epochs before the cycles.
    epochs: usize,
    /// Exponent.
    #[schemars(range(min = 0.0))]
    exponent: f64,
    /// Epochs of a cycle.
    length: usize,
    /// Rate at the beginning of a cycle.
    #[schemars(range(min = 0.0))]
    lowest: f64,
    /// Rate in the middle of a cycle.
    #[schemars(range(min = 0.0))]
    highest: f64,
}

impl Default for PolyThenCycle {
    fn default() -> Self {
        Self { epochs: 1000, exponent: 0.9, length: 100, lowest: 1e-6, highest: 1e-3 }
    }
}

impl Schedule for PolyThenCycle {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        if at.epoch < self.epochs {
            return Ok(poly(at.epoch as f64, self.epochs as f64, at.initial_lr, self.exponent));
        }
        let (epoch, rising) = (at.epoch % self.length.max(1), (self.length / 2).max(1));
        let slope = (self.highest - self.lowest) / rising as f64;
        Ok(match epoch.checked_sub(rising) {
            None => self.lowest + slope * epoch as f64,
            Some(falling) => self.highest - slope * falling as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{close, rates};

    #[test]
    fn rates_rise_and_fall() {
        let cyclic = Cyclic { length: 4, lowest: 0.0, highest: 1.0, per_step: false };
        close(&rates(&cyclic, 100, &[0, 1, 2, 3, 4, 5]), &[0.0, 0.5, 1.0, 0.5, 0.0, 0.5]);
        let mut at = SchedulePoint { step: 2, steps: 4, initial_lr: 2.0, ..SchedulePoint::default() };
        let by_step = Cyclic { per_step: true, ..cyclic };
        close(&[by_step.learning_rate(&at).unwrap()], &[0.5]);
        at.epoch = 4;
        close(&[by_step.learning_rate(&at).unwrap()], &[0.5]);
    }

    #[test]
    fn cycles_begin_after_the_decay() {
        let schedule = PolyThenCycle { epochs: 10, length: 4, lowest: 0.0, highest: 1.0, exponent: 1.0 };
        close(&rates(&schedule, 100, &[5, 12, 13, 14, 15]), &[0.5, 0.0, 0.5, 1.0, 0.5]);
    }
}
