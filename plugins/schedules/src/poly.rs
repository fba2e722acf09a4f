//! Polynomial decay, and a constant rate.

use nnunet_plugin_core::{Result, Schedule, SchedulePoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{poly, position, schedule};

schedule!(
    Poly,
    "poly",
    "v1 and v2: polynomial decay to the last epoch.",
    "`initial_lr * (1 - epoch / max_num_epochs)^exponent`: v1's `poly_lr`, v2's `PolyLRScheduler`."
);
schedule!(Constant, "constant", "The same learning rate in all epochs.", "`initial_lr`.");

/// Parameters of `poly`, and the schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Poly {
    /// Exponent.
    #[schemars(range(min = 0.0))]
    exponent: f64,
    /// The rate changes every step instead of every epoch.
    per_step: bool,
}

impl Default for Poly {
    fn default() -> Self {
        Self { exponent: 0.9, per_step: false }
    }
}

impl Schedule for Poly {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        Ok(poly(position(at, self.per_step), at.epochs as f64, at.initial_lr, self.exponent))
    }

    fn changes_every_step(&self) -> bool {
        self.per_step
    }
}

/// The schedule `constant`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Constant {}

impl Schedule for Constant {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        Ok(at.initial_lr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{close, rates};

    #[test]
    fn the_rate_falls_by_epochs_or_steps() {
        close(&rates(&Poly::default(), 1000, &[0, 500]), &[1.0, 0.5_f64.powf(0.9)]);
        let at = SchedulePoint {
            epoch: 1,
            step: 2,
            epochs: 3,
            steps: 4,
            initial_lr: 2.0,
            ..SchedulePoint::default()
        };
        let by_step = Poly { exponent: 1.0, per_step: true };
        close(&[by_step.learning_rate(&at).unwrap()], &[1.0]);
        assert!(by_step.changes_every_step() && !Poly::default().changes_every_step());
        close(&rates(&Constant {}, 10, &[0, 9]), &[1.0, 1.0]);
    }
}
