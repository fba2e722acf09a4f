//! A learning rate that falls when the loss no longer does, as `torch.optim.lr_scheduler.ReduceLROnPlateau` computes it
//! (mode `min`, absolute threshold, no cooldown).

use nnunet_plugin_core::{
    Component, Config, EpochResults, Error, Info, Kind, Registration, Result, Schedule, SchedulePoint,
    inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

inventory::submit!(Registration(|| {
    let summary = "Reduced when the moving average of the training loss no longer decreases.";
    let info = Info::new(Kind::Schedule, "plateau", summary)
        .describe(
            "v1: `nnUNetTrainer`. `ReduceLROnPlateau` of PyTorch with mode `min` and an absolute threshold.",
        )
        .with_config::<Settings>();
    Component::schedule(info, |config| {
        let settings = parse_config::<Settings>(config)?;
        Ok(Box::new(Plateau { settings, ..Plateau::default() }))
    })
}));

/// Parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Factor by which the rate is reduced.
    #[schemars(range(min = 0.0, max = 1.0))]
    factor: f64,
    /// Epochs without improvement to tolerate.
    patience: usize,
    /// Smallest decrease that counts as an improvement.
    #[schemars(range(min = 0.0))]
    threshold: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { factor: 0.2, patience: 30, threshold: 1e-3 }
    }
}

/// The schedule `plateau` and its state. [`Schedule::save_state`] has the names of PyTorch's state dict, and the rate as
/// `learning_rate`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    #[serde(flatten)]
    settings: Settings,
    /// Lowest loss so far; none before the first epoch.
    best: Option<f64>,
    /// Epochs since the last improvement.
    #[serde(rename = "num_bad_epochs")]
    bad_epochs: usize,
    /// Losses seen.
    #[serde(rename = "last_epoch")]
    epochs: usize,
    /// The current rate; none before the first epoch.
    learning_rate: Option<f64>,
}

impl Plateau {
    /// Changes of the rate below this are not made.
    pub const EPSILON: f64 = 1e-8;

    /// Takes the loss of an epoch.
    fn step(&mut self, loss: f64, initial_lr: f64) {
        let Settings { factor, patience, threshold } = self.settings;
        self.epochs += 1;
        if loss < self.best.unwrap_or(f64::INFINITY) - threshold {
            self.best = Some(loss);
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        let rate = self.learning_rate.get_or_insert(initial_lr);
        if self.bad_epochs > patience {
            self.bad_epochs = 0;
            let lower = *rate * factor;
            if *rate - lower > Self::EPSILON {
                *rate = lower;
            }
        }
    }
}

impl Schedule for Plateau {
    fn learning_rate(&self, at: &SchedulePoint) -> Result<f64> {
        Ok(self.learning_rate.unwrap_or(at.initial_lr))
    }

    fn epoch_ends(&mut self, at: &SchedulePoint, results: &EpochResults) -> Result<()> {
        self.step(results.train_loss_average, at.initial_lr);
        Ok(())
    }

    fn save_state(&self) -> Result<Config> {
        match serde_json::to_value(self) {
            Ok(Value::Object(state)) => Ok(state),
            _ => Err(Error::message("the state of the schedule is not a table")),
        }
    }

    fn load_state(&mut self, state: Config) -> Result<()> {
        let state = serde_json::from_value(Value::Object(state));
        *self = state.map_err(|error| Error::message(format!("state of the schedule: {error}")))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_after_the_patience_and_the_state_comes_back() {
        let mut plateau =
            Plateau { settings: Settings { factor: 0.5, patience: 1, threshold: 0.1 }, ..Plateau::default() };
        let at = SchedulePoint { initial_lr: 1.0, ..SchedulePoint::default() };
        let mut rates = Vec::new();
        for loss in [1.0, 0.95, 0.5, 0.45, 0.45, 0.45, 0.45] {
            let results = EpochResults { train_loss_average: loss, ..EpochResults::default() };
            plateau.epoch_ends(&at, &results).unwrap();
            rates.push(plateau.learning_rate(&at).unwrap());
        }
        assert_eq!(rates, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
        let mut other = Plateau::default();
        other.load_state(plateau.save_state().unwrap()).unwrap();
        assert_eq!(other, plateau);
        other.load_state(Plateau::default().save_state().unwrap()).unwrap();
        assert_eq!(other, Plateau::default());
    }
}
