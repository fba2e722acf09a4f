//! NumPy's legacy generator: `numpy.random.RandomState(seed)` (MT19937, Matsumoto and Nishimura 1998).

const N: usize = 624;
const M: usize = 397;

/// The legacy generator of NumPy, seeded with an integer. Its draws decide v1's splits and class locations.
///
/// ```
/// use nnunet_numerics::RandomState;
///
/// // `numpy.random.RandomState(1234).permutation(20)[:5]`
/// assert_eq!(RandomState::new(1234).choice(20, 5), RandomState::new(1234).permutation(20)[..5]);
/// ```
#[derive(Debug, Clone)]
pub struct RandomState {
    state: [u32; N],
    next: usize,
}

impl RandomState {
    /// As `RandomState(seed)` for an integer seed.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: N }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// Uniform in 0..=max by masked rejection.
    fn interval(&mut self, max: u32) -> u32 {
        let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// One of the numbers that `randint(0, n, size)` gives: uniform in 0..n. Nothing is drawn where there is no choice.
    pub fn below(&mut self, n: u32) -> u32 {
        if n > 1 { self.interval(n - 1) } else { 0 }
    }

    /// Shuffles in place (Fisher-Yates from the end).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            let j = self.interval(i as u32) as usize;
            values.swap(i, j);
        }
    }

    /// A permutation of 0..n.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut values: Vec<usize> = (0..n).collect();
        self.shuffle(&mut values);
        values
    }

    /// `choice(n, k, replace=False)`: the first k of a permutation.
    pub fn choice(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut values = self.permutation(n);
        values.truncate(k);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.random.RandomState(1234).choice(20, 5, replace=True)` of NumPy 2.4.6.
    #[test]
    fn draws_with_replacement_agree_with_numpy() {
        let mut random = RandomState::new(1234);
        assert_eq!([0; 5].map(|_| random.below(20)), [15, 19, 6, 12, 15]);
        assert_eq!(random.below(1), 0);
    }

    /// `numpy.random.RandomState(1234).choice(20, 5, replace=False)` of NumPy 1.23.
    #[test]
    fn choice_agrees_with_numpy() {
        assert_eq!(RandomState::new(1234).choice(20, 5), [3, 13, 2, 16, 14]);
    }
}
