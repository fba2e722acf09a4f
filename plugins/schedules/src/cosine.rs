//! Cosine annealing (Loshchilov and Hutter 2017).

use std::f64::consts::PI;

use nnunet_plugin_core::{Result, Schedule, SchedulePoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{position, rising, schedule};

schedule!(
    Cosine,
    "cosine",
    "Half a period of a cosine, from the initial rate to 0 (v2: `nnUNetTrainerCosAnneal`).",
    "`CosineAnnealingLR` of PyTorch; with `warm_up` the rate rises linearly first (Loshchilov and Hutter 2017)."
);

/// Parameters, and the schedule.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Cosine {
    /// Epochs of a linear warm-up.
    warm_up: usize,
    /// The rate changes every step instead of every epoch.
    per_step: bool,
}

impl Schedule for Cosine {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        if let Some(rate) = rising(at, self.warm_up, self.per_step) {
            return Ok(rate);
        }
        let warm = self.warm_up as f64;
        let done = (position(at, self.per_step) - warm) / (at.epochs as f64 - warm).max(1.0);
        Ok(at.initial_lr * 0.5 * (1.0 + (PI * done.min(1.0)).cos()))
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
    fn the_rate_is_half_a_period() {
        let quarter = 0.5 * (1.0 + 0.5_f64.sqrt());
        close(&rates(&Cosine::default(), 1000, &[0, 250, 500]), &[1.0, quarter, 0.5]);
        let warm = Cosine { warm_up: 10, per_step: false };
        close(&rates(&warm, 110, &[0, 9, 10, 60]), &[0.1, 1.0, 1.0, 0.5]);
    }
}
