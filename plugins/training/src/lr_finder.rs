//! The learning-rate sweep (v1 `NetworkTrainer.find_lr`, after Smith 2017): the rate grows with every step until the
//! loss diverges.

use nnunet_plugin_api::Result;

use crate::batch_on_device::OnDevice;
use crate::hosted::Place;
use crate::observer::Observer;
use crate::pool::Pools;
use crate::state::{Engine, Run};

const FIRST: f64 = 1e-6;
const LAST: f64 = 10.0;
/// Decay rate of the moving average of the loss.
const BETA: f64 = 0.98;
/// The sweep ends where the smoothed loss, counted from -1, exceeds the best one so many times.
const DIVERGED: f64 = 4.0;

/// Learning rates that were tried, and the losses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LearningRateSweep {
    /// Learning rates.
    pub rates: Vec<f64>,
    /// Smoothed training losses, counted from -1.
    pub losses: Vec<f64>,
}

impl LearningRateSweep {
    /// Adds the loss of a step; returns whether the sweep goes on.
    fn push(&mut self, rate: f64, mean: &mut f64, loss: f64) -> bool {
        *mean = BETA * *mean + (1.0 - BETA) * (loss + 1.0);
        let smoothed = *mean / (1.0 - BETA.powi(self.rates.len() as i32 + 1));
        let best = self.losses.iter().copied().fold(f64::INFINITY, f64::min);
        self.rates.push(rate);
        self.losses.push(smoothed);
        smoothed.is_finite() && smoothed <= DIVERGED * best
    }

    /// The rate at which the loss falls fastest; none of a sweep that is too short.
    #[must_use]
    pub fn steepest(&self) -> Option<f64> {
        let slopes = self.losses.windows(2).map(|pair| pair[1] - pair[0]);
        let steepest =
            slopes.enumerate().filter(|(_, slope)| slope.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1));
        steepest.map(|(i, _)| self.rates[i + 1])
    }
}

impl Engine {
    /// Runs the sweep over at most `steps` steps. The weights are of no use afterwards.
    ///
    /// # Errors
    /// Returns the error of the network, the loss or a case. A loss that is not finite ends the sweep.
    pub fn find_learning_rate(
        &mut self,
        run: &Run,
        steps: usize,
        observer: &mut dyn Observer,
    ) -> Result<LearningRateSweep> {
        let mut pools = Pools::new(run, self)?;
        pools.training.allow(usize::MAX);
        let growth = (LAST / FIRST).powf(1.0 / steps as f64);
        let (mut sweep, mut mean) = (LearningRateSweep::default(), 0.0);
        self.start_training(run)?;
        self.network.set_training(true)?;
        for step in 0..steps {
            let rate = FIRST * growth.powi(step as i32);
            let mut batch = pools.training.next()?.on(self.store.device())?;
            let place = Place { step, learning_rate: rate, scaler: None };
            self.with_trainers(place, |trainers, training| trainers.on_batch(training, &mut batch))?;
            let loss = match self.train_step(&batch, rate) {
                Err(error) if error.is_not_finite() => break,
                loss => loss?,
            };
            observer.step(step, steps, loss);
            if !sweep.push(rate, &mut mean, loss) || observer.cancelled() {
                break;
            }
        }
        Ok(sweep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_diverges_ends_the_sweep_and_the_steepest_fall_is_found() {
        let (mut sweep, mut mean) = (LearningRateSweep::default(), 0.0);
        assert!(sweep.push(1e-3, &mut mean, 0.5));
        assert!((sweep.losses[0] - 1.5).abs() < 1e-12);
        assert!(sweep.push(1e-2, &mut mean, 0.4));
        assert!(sweep.push(1e-1, &mut mean, -0.4));
        assert!(!sweep.push(1.0, &mut mean, 300.0));
        assert_eq!(sweep.steepest(), Some(1e-1));
    }
}
