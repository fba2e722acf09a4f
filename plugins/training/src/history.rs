//! What is remembered of past epochs, with v1's moving averages.

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
}
