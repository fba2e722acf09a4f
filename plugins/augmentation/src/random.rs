//! Counter-based random numbers.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random numbers of one sample.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Numbers that depend on these four alone.
    #[must_use]
    pub fn new(seed: u64, epoch: usize, batch: usize, sample: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(((epoch as u64) << 40) | ((batch as u64) << 16) | sample as u64);
        Self(random)
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.0.random::<f64>() < p
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n < 2 { 0 } else { self.0.random_range(0..n) }
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (self.0.random::<f64>(), self.0.random::<f64>());
        (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// Below or above one with equal chance: uniform in [low, 1) or [1, high); all of [low, high) when 1 is not inside.
    pub fn around_one(&mut self, low: f64, high: f64) -> f64 {
        if low >= 1.0 || high <= 1.0 {
            self.uniform(low, high)
        } else if self.chance(0.5) {
            self.uniform(low, 1.0)
        } else {
            self.uniform(1.0, high)
        }
    }
}
