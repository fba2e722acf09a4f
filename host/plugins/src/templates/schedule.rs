//! MySchedule: a schedule of the learning rate for nnunet.

use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Component, Info, Kind, Registration, Result, Schedule, SchedulePoint, export_plugin, inventory, parse_config,
    schemars,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Schedule, "MySchedule", "The rate falls linearly from an epoch on.");
    Component::schedule(info.with_config::<MySchedule>(), |config| Ok(Box::new(parse_config::<MySchedule>(config)?)))
}));

/// The parameters: `lr_schedule = { name = "MySchedule", from = 0.8 }` in a trainer's table.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
#[schemars(crate = "nnunet_plugin_api::schemars")]
struct MySchedule {
    /// Part of the training after which the rate falls.
    #[schemars(range(min = 0.0, max = 1.0))]
    from: f64,
}

impl Default for MySchedule {
    fn default() -> Self {
        Self { from: 0.5 }
    }
}

impl Schedule for MySchedule {
    /// The learning rate at a step. `at.epoch` and `at.step` count from 0.
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        let done = at.position() / at.epochs as f64;
        let left = if done < self.from { 1.0 } else { (1.0 - done) / (1.0 - self.from) };
        Ok(at.initial_lr * left)
    }

    /// Asked before every step, not only before every epoch.
    fn changes_every_step(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_in_the_second_half() {
        let at = |epoch, step| SchedulePoint {
            epoch,
            step,
            epochs: 10,
            steps: 2,
            initial_lr: 1.0,
            ..SchedulePoint::default()
        };
        let rate = |epoch, step| MySchedule::default().learning_rate(&at(epoch, step)).unwrap();
        assert_eq!([rate(0, 0), rate(4, 1), rate(5, 0)], [1.0, 1.0, 1.0]);
        assert!((rate(7, 1) - 0.5).abs() < 1e-12);
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
