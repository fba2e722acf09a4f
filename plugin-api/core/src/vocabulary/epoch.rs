//! Results of a training epoch.

use serde::{Deserialize, Serialize};

/// Results of a training epoch.
///
/// ```
/// use nnunet_plugin_api::EpochReport;
///
/// let report = EpochReport { epoch: 4, train_loss: -0.7, metric: 0.8, ..EpochReport::default() };
/// assert!(report.metric > report.train_loss);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// Mean validation loss.
    pub validation_loss: f64,
    /// Mean foreground Dice of the online evaluation; NaN if no class occurred.
    pub metric: f64,
    /// Learning rate of this epoch.
    pub learning_rate: f64,
    /// Wall time of the epoch, seconds.
    pub seconds: f64,
}
