//! What the steps of an epoch spent their time on.

use std::time::{Duration, Instant};

/// Wall time of an epoch's training steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepTimes {
    /// Waiting for the next batch.
    pub data: Duration,
    /// Copying the batch to the device.
    pub copies: Duration,
    /// Computing network, loss and optimizer.
    pub compute: Duration,
}

/// Runs something and adds its wall time to `total`.
pub(crate) fn timed<T>(total: &mut Duration, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    *total += start.elapsed();
    result
}
