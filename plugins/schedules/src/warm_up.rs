//! Rates that rise first.

use nnunet_plugin_core::{Result, Schedule, SchedulePoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{poly, position, rising, schedule};

schedule!(
    WarmUpPoly,
    "warm_up_poly",
    "v1: linear warm-up, then polynomial decay.",
    "v1's `nnUNetTrainerV2_warmup`: the first two epochs have the same rate, and the decay does not reach 0."
);
schedule!(
    LinearWarmUpPoly,
    "linear_warm_up_poly",
    "v2: linear warm-up, then polynomial decay to the last epoch.",
    "v2's `nnUNetTrainer_warmup`."
);

/// Parameters of `warm_up_poly`, and the schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct WarmUpPoly {
    /// Epochs of the warm-up.
    epochs: usize,
    /// Exponent.
    #[schemars(range(min = 0.0))]
    exponent: f64,
}

impl Default for WarmUpPoly {
    fn default() -> Self {
        Self { epochs: 50, exponent: 0.9 }
    }
}

impl Schedule for WarmUpPoly {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        // v1 looks at the epoch that has just ended.
        let ended = at.epoch.saturating_sub(1);
        if ended < self.epochs {
            return Ok((ended + 1) as f64 / self.epochs as f64 * at.initial_lr);
        }
        Ok(poly((ended - self.epochs + 1) as f64, at.epochs as f64, at.initial_lr, self.exponent))
    }
}

/// Parameters of `linear_warm_up_poly`, and the schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LinearWarmUpPoly {
    /// Epochs of the warm-up.
    epochs: usize,
    /// Exponent.
    #[schemars(range(min = 0.0))]
    exponent: f64,
    /// The rate changes every step instead of every epoch.
    per_step: bool,
}

impl Default for LinearWarmUpPoly {
    fn default() -> Self {
        Self { epochs: 50, exponent: 0.9, per_step: false }
    }
}

impl Schedule for LinearWarmUpPoly {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        if let Some(rate) = rising(at, self.epochs, self.per_step) {
            return Ok(rate);
        }
        let warm = self.epochs as f64;
        let left = (at.epochs as f64 - warm).max(1.0);
        Ok(poly(position(at, self.per_step) - warm, left, at.initial_lr, self.exponent))
    }

    fn changes_every_step(&self) -> bool {
        self.per_step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{close, rates};

    #[test]
    fn rates_of_v1_and_v2_rise_then_fall() {
        close(&rates(&WarmUpPoly::default(), 1050, &[0, 1, 50]), &[0.02, 0.02, 1.0]);
        close(&rates(&WarmUpPoly::default(), 1050, &[1049]), &[(1.0_f64 - 999.0 / 1050.0).powf(0.9)]);
        let v2 = LinearWarmUpPoly::default();
        close(&rates(&v2, 1000, &[0, 49, 50, 525]), &[0.02, 1.0, 1.0, 0.5_f64.powf(0.9)]);
    }

    #[test]
    fn a_warm_up_by_steps_reaches_the_rate_in_its_last_step() {
        let schedule = LinearWarmUpPoly { epochs: 2, per_step: true, ..LinearWarmUpPoly::default() };
        let rate = |epoch, step| {
            let at = SchedulePoint {
                epoch,
                step,
                epochs: 10,
                steps: 4,
                initial_lr: 1.0,
                ..SchedulePoint::default()
            };
            schedule.learning_rate(&at).unwrap()
        };
        close(&[rate(0, 0), rate(1, 3), rate(2, 0)], &[0.125, 1.0, 1.0]);
        assert!(rate(2, 1) < 1.0);
    }
}
