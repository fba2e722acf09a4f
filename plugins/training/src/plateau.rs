//! A learning rate that falls when the loss no longer does, as `torch.optim.lr_scheduler.ReduceLROnPlateau` computes it
//! (mode `min`, absolute threshold, no cooldown).

/// The schedule's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    /// The rate multiplies by this.
    pub factor: f64,
    /// Epochs without improvement that are borne.
    pub patience: usize,
    /// What counts as an improvement.
    pub threshold: f64,
    /// Lowest loss so far.
    pub best: f64,
    /// Epochs since the last improvement.
    pub bad_epochs: usize,
    /// Losses seen.
    pub epochs: usize,
    /// The current rate.
    pub learning_rate: f64,
}

impl Plateau {
    /// Changes of the rate below this are not made.
    pub const EPSILON: f64 = 1e-8;

    /// Before the first epoch.
    #[must_use]
    pub fn new(learning_rate: f64, factor: f64, patience: usize, threshold: f64) -> Self {
        Self { factor, patience, threshold, best: f64::INFINITY, bad_epochs: 0, epochs: 0, learning_rate }
    }

    /// Takes the loss of an epoch.
    pub fn step(&mut self, loss: f64) {
        self.epochs += 1;
        if loss < self.best - self.threshold {
            self.best = loss;
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.bad_epochs > self.patience {
            self.bad_epochs = 0;
            let lower = self.learning_rate * self.factor;
            if self.learning_rate - lower > Self::EPSILON {
                self.learning_rate = lower;
            }
        }
    }
}
