//! What came out of an epoch of training.

use serde::{Deserialize, Serialize};

/// What came out of an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// From 0.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// Mean validation loss.
    pub validation_loss: f64,
    /// Mean foreground Dice of the online evaluation; NaN when no foreground was seen.
    pub metric: f64,
    /// Learning rate used in this epoch.
    pub learning_rate: f64,
    /// Wall time.
    pub seconds: f64,
}
