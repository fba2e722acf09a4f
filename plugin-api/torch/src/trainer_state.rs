//! What a trainer keeps in checkpoints, and what it measures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::Config;

/// State of a trainer in a checkpoint.
#[derive(Debug, Default)]
pub struct TrainerState {
    /// Floating-point tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Any other values.
    pub values: Config,
}

impl TrainerState {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty() && self.values.is_empty()
    }
}

/// A part of a metric: the metric of an epoch is the sum of all `sum`s divided by the sum of all `count`s.
///
/// ```
/// use nnunet_plugin_api::Tally;
///
/// // The Dice of two batches: twice the overlap, over both volumes.
/// let tallies = [Tally::new("dice", 2.0 * 30.0, 100.0), Tally::new("dice", 2.0 * 10.0, 60.0)];
/// let (sum, count) = tallies.iter().fold((0.0, 0.0), |(s, c), tally| (s + tally.sum, c + tally.count));
/// assert_eq!(sum / count, 0.5);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Name of the metric.
    pub name: String,
    /// Added up.
    pub sum: f64,
    /// What the sum is divided by.
    pub count: f64,
}

impl Tally {
    /// A part of a metric.
    pub fn new(name: impl Into<String>, sum: f64, count: f64) -> Self {
        Self { name: name.into(), sum, count }
    }
}

/// Metrics of an epoch by name.
pub type Metrics = BTreeMap<String, f64>;
