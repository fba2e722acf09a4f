//! Which checkpoint is the best by a metric of one's own.

use serde::{Deserialize, Serialize};

/// Moving average of the metric that determines `model_best`, and its best value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    average: Option<f64>,
    best: Option<f64>,
}

impl Criterion {
    /// Whether nothing has been measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.average.is_none()
    }

    /// Takes the metric of an epoch; returns whether its moving average is the best so far. Unlike v1's criterion the first
    /// one is. An epoch whose metric is not a number is never the best and leaves the average as it is.
    pub fn push(&mut self, value: f64, alpha: f64, larger_is_better: bool) -> bool {
        if !value.is_finite() {
            return false;
        }
        let average = self.average.map_or(value, |past| alpha * past + (1.0 - alpha) * value);
        self.average = Some(average);
        let better = |best: f64| if larger_is_better { average > best } else { average < best };
        let is_best = self.best.is_none_or(better);
        if is_best {
            self.best = Some(average);
        }
        is_best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_counts_in_either_direction() {
        let best = |values: &[f64], alpha: f64, larger: bool| -> Vec<bool> {
            let mut criterion = Criterion::default();
            values.iter().map(|value| criterion.push(*value, alpha, larger)).collect()
        };
        assert_eq!(best(&[0.5, 0.4, 0.6, f64::NAN], 0.0, true), [true, false, true, false]);
        assert_eq!(best(&[0.5, 0.4, 0.6], 0.0, false), [true, true, false]);
        assert_eq!(best(&[0.5, 0.0, 0.7], 0.9, true), [true, false, false], "the average is still lower");
    }
}
