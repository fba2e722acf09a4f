//! What is tried again after a value that is not finite.

use nnunet_plugin_api::{Error, Result};

/// An epoch is taken up again at most so many times.
const ROLLBACKS: usize = 3;

/// The steps an epoch leaves out because they ended in values that are not finite. Every one of them halves the learning
/// rate of that epoch. The next epoch starts anew.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    left_out: Vec<usize>,
}

impl Attempt {
    pub(crate) fn leaves_out(&self, step: usize) -> bool {
        self.left_out.contains(&step)
    }

    /// Factor of the epoch's learning rate.
    pub(crate) fn factor(&self) -> f64 {
        0.5_f64.powi(self.left_out.len() as i32)
    }

    /// Leaves out one more of `steps`.
    ///
    /// # Errors
    /// The one that led here, when this has been tried often enough.
    pub(crate) fn leave_out(&mut self, step: usize, steps: usize, error: Error) -> Result<Error> {
        self.left_out.push(step);
        if self.left_out.len() > ROLLBACKS || self.left_out.len() >= steps {
            let advice =
                "given up after going back to the start of the epoch; lower initial_lr, or look at the case";
            return Err(error.within(advice));
        }
        Ok(error)
    }
}
