//! The history of a training, with v1's moving averages.

use nnunet_metrics::Criterion;
use nnunet_plugin_api::vocabulary::Patience;

/// What else is known of an epoch. Two records are equal if the results are, whenever they were computed.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// Learning rate.
    pub learning_rate: f64,
    /// When it began and ended, seconds since 1970.
    pub started: f64,
    /// See `started`.
    pub ended: f64,
    /// Dice by foreground class or region; NaN where one did not occur.
    pub dice: Vec<f64>,
}

impl PartialEq for EpochRecord {
    fn eq(&self, other: &Self) -> bool {
        let bits = |dice: &[f64]| dice.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        self.learning_rate == other.learning_rate && bits(&self.dice) == bits(&other.dice)
    }
}

impl EpochRecord {
    /// The Dice of `count` classes from those that occurred, whose numbers count from 1.
    #[must_use]
    pub fn dice_of_all(classes: &[usize], dice: &[f64], count: usize) -> Vec<f64> {
        let mut all = vec![f64::NAN; count];
        for (class, dice) in classes.iter().zip(dice) {
            if let Some(slot) = class.checked_sub(1).and_then(|class| all.get_mut(class)) {
                *slot = *dice;
            }
        }
        all
    }
}

/// Losses and metrics by epoch, and the best values so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Mean training loss.
    pub train_losses: Vec<f64>,
    /// Mean validation loss.
    pub validation_losses: Vec<f64>,
    /// Mean foreground Dice of the online evaluation.
    pub metrics: Vec<f64>,
    /// Moving average of the training loss.
    pub train_loss_ma: Option<f64>,
    /// Moving average of the metric.
    pub metric_ma: Option<f64>,
    /// Best moving average of the training loss and its epoch.
    pub best_train_loss_ma: Option<(usize, f64)>,
    /// Best moving average of the metric.
    pub best_metric_ma: Option<f64>,
    /// State of the metric that determines the best checkpoint, if it is not the Dice.
    pub criterion: Criterion,
    /// One of each epoch; v1's checkpoints do not have them, so there may be fewer.
    pub epochs: Vec<EpochRecord>,
}

/// Improvement of the training loss that counts.
const LOSS_EPSILON: f64 = 5e-4;

impl History {
    /// Adds an epoch; says whether the metric's moving average is the best so far. As in v1 the first epoch only sets
    /// the mark.
    pub fn push(
        &mut self,
        train: f64,
        validation: f64,
        metric: f64,
        alpha_loss: f64,
        alpha_metric: f64,
    ) -> bool {
        let epoch = self.train_losses.len();
        self.train_losses.push(train);
        self.validation_losses.push(validation);
        self.metrics.push(metric);
        let loss_ma = blend(self.train_loss_ma, train, alpha_loss);
        let metric_ma = blend(self.metric_ma, metric, alpha_metric);
        (self.train_loss_ma, self.metric_ma) = (Some(loss_ma), Some(metric_ma));
        if self.best_train_loss_ma.is_none_or(|(_, best)| loss_ma + LOSS_EPSILON < best) {
            self.best_train_loss_ma = Some((epoch, loss_ma));
        }
        let best = *self.best_metric_ma.get_or_insert(metric_ma);
        let better = metric_ma > best;
        if better {
            self.best_metric_ma = Some(metric_ma);
        }
        better
    }

    /// Whether the training loss has not improved for too long. While the learning rate may still fall, half the
    /// patience is given again.
    pub(crate) fn impatient(&mut self, patience: &Patience, learning_rate: f64) -> bool {
        let epoch = self.train_losses.len().saturating_sub(1);
        let Some((best, _)) = &mut self.best_train_loss_ma else { return false };
        if epoch.saturating_sub(*best) <= patience.epochs {
            return false;
        }
        let wait = learning_rate > patience.lr_threshold;
        if wait {
            *best = epoch - patience.epochs / 2;
        }
        !wait
    }
}

fn blend(past: Option<f64>, now: f64, alpha: f64) -> f64 {
    past.map_or(now, |past| alpha * past + (1.0 - alpha) * now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epoch_is_never_the_best() {
        let mut history = History::default();
        assert!(!history.push(1.0, 1.0, 0.5, 0.93, 0.9));
        assert!(history.push(1.0, 1.0, 0.6, 0.93, 0.9));
        assert!((history.metric_ma.unwrap() - 0.51).abs() < 1e-12);
        assert!(!history.push(1.0, 1.0, 0.1, 0.93, 0.9));
    }

    #[test]
    fn patience_ends_only_with_a_low_learning_rate() {
        let mut history = History::default();
        let patience = Patience { epochs: 3, ..Patience::default() };
        let mut push = |rate: f64| {
            history.push(1.0, 1.0, 0.5, 0.93, 0.9);
            history.impatient(&patience, rate)
        };
        assert!(![1e-2; 5].map(&mut push).contains(&true));
        assert_eq!([1e-7; 3].map(&mut push), [false, false, true]);
    }
}
