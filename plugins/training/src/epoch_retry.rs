//! Retries of an epoch after a value that is not finite.

use nnunet_plugin_api::{Error, Result};

/// Largest number of retries of an epoch.
const MAX_RETRIES: usize = 3;

/// The steps that an epoch skips because they ended in values that are not finite. Each one halves the learning rate of
/// that epoch; the next epoch starts without any.
#[derive(Debug, Default)]
pub(crate) struct EpochRetry {
    skipped: Vec<usize>,
}

impl EpochRetry {
    pub(crate) fn skips(&self, step: usize) -> bool {
        self.skipped.contains(&step)
    }

    /// Factor of the epoch's learning rate.
    pub(crate) fn factor(&self) -> f64 {
        0.5_f64.powi(self.skipped.len() as i32)
    }

    /// Skips one more of `steps`.
    ///
    /// # Errors
    /// Returns the given error once the epoch has been retried often enough.
    pub(crate) fn skip(&mut self, step: usize, steps: usize, error: Error) -> Result<Error> {
        self.skipped.push(step);
        if self.skipped.len() > MAX_RETRIES || self.skipped.len() >= steps {
            let advice = "the epoch failed again after a restart; lower initial_lr, or check the case";
            return Err(error.within(advice));
        }
        Ok(error)
    }
}
