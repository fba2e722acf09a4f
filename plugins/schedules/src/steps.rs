//! Rates that fall at given epochs.

use nnunet_plugin_core::{Result, Schedule, SchedulePoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{poly, schedule};

schedule!(
    Steps,
    "steps",
    "Divided by 10 at given epochs.",
    "v1: `nnUNetTrainerV2_SGD_fixedSchedule`; `MultiStepLR` of PyTorch with `gamma` 0.1."
);
schedule!(
    StepThenPoly,
    "step_then_poly",
    "A tenth of the rate between two epochs, then polynomial decay to the last epoch.",
    "v1: `nnUNetTrainerV2_SGD_fixedSchedule2`."
);

/// Parameters of `steps`, and the schedule.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Steps {
    /// Epochs at which the rate is divided by 10.
    epochs: Vec<usize>,
}

impl Schedule for Steps {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        let passed = self.epochs.iter().filter(|step| at.epoch >= **step).count();
        Ok(at.initial_lr * 0.1_f64.powi(passed as i32))
    }
}

/// Parameters of `step_then_poly`, and the schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StepThenPoly {
    /// First epoch of the reduced rate, and of the decay.
    epochs: [usize; 2],
    /// Exponent.
    #[schemars(range(min = 0.0))]
    exponent: f64,
}

impl Default for StepThenPoly {
    fn default() -> Self {
        Self { epochs: [500, 675], exponent: 0.9 }
    }
}

impl Schedule for StepThenPoly {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        let [first, second] = self.epochs;
        if at.epoch < first {
            return Ok(at.initial_lr);
        }
        let left = (at.epochs as f64 - second as f64).max(1.0);
        Ok(poly(at.epoch.saturating_sub(second) as f64, left, 0.1 * at.initial_lr, self.exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{close, rates};

    #[test]
    fn rates_fall_at_the_epochs() {
        let steps = Steps { epochs: vec![500, 675, 850] };
        close(&rates(&steps, 1000, &[499, 500, 900]), &[1.0, 0.1, 1e-3]);
        let then_poly = StepThenPoly::default();
        close(&rates(&then_poly, 1000, &[499, 500, 674, 675]), &[1.0, 0.1, 0.1, 0.1]);
        close(&rates(&then_poly, 1000, &[800]), &[0.1 * (1.0_f64 - 125.0 / 325.0).powf(0.9)]);
    }
}
