//! An epoch's report across the boundary. Its numbers may be NaN, so it does not cross as JSON.

use abi_stable::StableAbi;

use crate::EpochReport;

/// [`EpochReport`] with its fields in order.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct EpochReportAbi {
    epoch: u64,
    train_loss: f64,
    validation_loss: f64,
    metric: f64,
    learning_rate: f64,
    seconds: f64,
}

impl From<EpochReport> for EpochReportAbi {
    fn from(r: EpochReport) -> Self {
        Self {
            epoch: r.epoch as u64,
            train_loss: r.train_loss,
            validation_loss: r.validation_loss,
            metric: r.metric,
            learning_rate: r.learning_rate,
            seconds: r.seconds,
        }
    }
}

impl From<EpochReportAbi> for EpochReport {
    fn from(r: EpochReportAbi) -> Self {
        Self {
            epoch: r.epoch as usize,
            train_loss: r.train_loss,
            validation_loss: r.validation_loss,
            metric: r.metric,
            learning_rate: r.learning_rate,
            seconds: r.seconds,
        }
    }
}
