//! The stall meter: what the steps of an epoch spent their time on.

use std::time::{Duration, Instant};

/// Wall time of an epoch's training steps by what they waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    /// For the next batch.
    pub data: Duration,
    /// For the batch to reach the device.
    pub copies: Duration,
    /// For network, loss and optimiser.
    pub compute: Duration,
}

/// Runs something and adds its wall time to `total`.
pub(crate) fn timed<T>(total: &mut Duration, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    *total += start.elapsed();
    result
}
