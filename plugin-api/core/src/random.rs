//! Random numbers that do not depend on the number of threads.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random numbers of one sample of a batch (ChaCha8). The same seed, epoch, batch and sample give the same
/// numbers for any number of threads.
///
/// ```
/// use nnunet_plugin_api::RandomStream;
///
/// let mut random = RandomStream::new(1, 0, 4, 0);
/// let factor = random.uniform(0.7, 1.4);
/// assert!((0.7..1.4).contains(&factor));
/// assert_eq!(RandomStream::new(1, 0, 4, 0).uniform(0.7, 1.4), factor);
/// ```
#[derive(Debug, Clone)]
pub struct RandomStream(ChaCha8Rng);

impl RandomStream {
    /// The random numbers of a sample, determined by these four numbers.
    #[must_use]
    pub fn new(seed: u64, epoch: usize, batch: usize, sample: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(((epoch as u64) << 40) | ((batch as u64) << 16) | sample as u64);
        Self(random)
    }

    /// Random numbers of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Key, stream and position of the generator.
    pub(crate) fn state(&self) -> ([u8; 32], u64, u128) {
        (self.0.get_seed(), self.0.get_stream(), self.0.get_word_pos())
    }

    /// A generator with this key, stream and position.
    pub(crate) fn at(key: [u8; 32], stream: u64, place: u128) -> Self {
        let mut random = ChaCha8Rng::from_seed(key);
        random.set_stream(stream);
        random.set_word_pos(place);
        Self(random)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// True with probability `p`.
    ///
    /// ```
    /// use nnunet_plugin_api::RandomStream;
    ///
    /// let mut random = RandomStream::from_seed(7);
    /// let hits = (0..10_000).filter(|_| random.chance(0.2)).count();
    /// assert!((1_800..2_200).contains(&hits));
    /// ```
    pub fn chance(&mut self, p: f64) -> bool {
        self.0.random::<f64>() < p
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n < 2 { 0 } else { self.0.random_range(0..n) }
    }

    /// An index with a probability in proportion to its weight. Negative weights and those that are no numbers count as 0;
    /// if all are 0, every index is equally likely.
    ///
    /// ```
    /// use nnunet_plugin_api::RandomStream;
    ///
    /// let mut random = RandomStream::from_seed(7);
    /// let hits = (0..10_000).filter(|_| random.weighted([1.0, 0.0, 4.0]) == 2).count();
    /// assert!((7_800..8_200).contains(&hits));
    /// ```
    pub fn weighted(&mut self, weights: impl IntoIterator<Item = f64>) -> usize {
        let weights: Vec<f64> = weights.into_iter().map(|w| if w > 0.0 { w } else { 0.0 }).collect();
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return self.below(weights.len());
        }
        let mut left = self.uniform(0.0, sum);
        let found = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        // Rounding may leave a rest.
        found.or_else(|| weights.iter().rposition(|weight| *weight > 0.0)).unwrap_or_default()
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (self.0.random::<f64>(), self.0.random::<f64>());
        (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// With equal probability uniform in [low, 1) or in [1, high); uniform in [low, high) if 1 is not inside.
    ///
    /// ```
    /// use nnunet_plugin_api::RandomStream;
    ///
    /// let mut random = RandomStream::from_seed(7);
    /// let gamma = random.around_one(0.7, 1.5);
    /// assert!((0.7..1.5).contains(&gamma));
    /// ```
    pub fn around_one(&mut self, low: f64, high: f64) -> f64 {
        if low >= 1.0 || high <= 1.0 {
            self.uniform(low, high)
        } else if self.chance(0.5) {
            self.uniform(low, 1.0)
        } else {
            self.uniform(1.0, high)
        }
    }

    /// A random order of 0..n (Fisher and Yates 1938).
    ///
    /// ```
    /// use nnunet_plugin_api::RandomStream;
    ///
    /// let mut order = RandomStream::from_seed(7).permutation(5);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3, 4]);
    /// ```
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_its_four_numbers_alone() {
        let first = |seed, epoch, batch, sample| RandomStream::new(seed, epoch, batch, sample).bits();
        assert_eq!(first(1, 2, 3, 4), first(1, 2, 3, 4));
        for other in [first(2, 2, 3, 4), first(1, 3, 3, 4), first(1, 2, 4, 4), first(1, 2, 3, 5)] {
            assert_ne!(other, first(1, 2, 3, 4));
        }
    }

    #[test]
    fn permutations_keep_every_number() {
        let mut order = RandomStream::from_seed(3).permutation(7);
        order.sort_unstable();
        assert_eq!(order, (0..7).collect::<Vec<_>>());
    }
}
