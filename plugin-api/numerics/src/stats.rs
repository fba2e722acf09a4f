//! NumPy's statistics.

use ndarray::ArrayView3;

use crate::wide::wide;

/// Rounds to the nearest integer, halves to the even one (`np.round`, Python's `round`).
///
/// ```
/// use nnunet_numerics::stats::round_half_even;
///
/// assert_eq!([0.5, 1.5, 2.5].map(round_half_even), [0.0, 2.0, 2.0]);
/// ```
#[must_use]
pub fn round_half_even(value: f64) -> f64 {
    value.round_ties_even()
}

/// Percentile (0 to 100) with linear interpolation, of unsorted values. NaN when there are none.
///
/// ```
/// use nnunet_numerics::stats::percentile;
///
/// assert_eq!(percentile(&mut [4.0, 1.0, 3.0, 2.0], 50.0), 2.5);
/// ```
#[must_use]
pub fn percentile(values: &mut [f32], percent: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let position = percent / 100.0 * (values.len() - 1) as f64;
    let (low, fraction) = (position.floor() as usize, position.fract());
    let (_, a, above) = values.select_nth_unstable_by(low, f32::total_cmp);
    let a = f64::from(*a);
    let b = above.iter().copied().min_by(f32::total_cmp).map_or(a, f64::from);
    a + (b - a) * fraction
}

/// Percentile of f64 values, as [`percentile`].
#[must_use]
pub fn percentile_f64(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = percent / 100.0 * last as f64;
    let low = position.floor() as usize;
    let (a, b) = (sorted[low], sorted[(low + 1).min(last)]);
    a + (b - a) * position.fract()
}

/// Median of f64 values.
#[must_use]
pub fn median_f64(values: &[f64]) -> f64 {
    percentile_f64(values, 50.0)
}

/// Mean and population standard deviation, accumulated in f64. NaN for no values.
///
/// ```
/// use nnunet_numerics::stats::mean_std;
///
/// assert_eq!(mean_std(&[1.0, 3.0]), (2.0, 1.0));
/// ```
#[must_use]
pub fn mean_std(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    let variance = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Mean, spread and range of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean.
    pub mean: f64,
    /// Population standard deviation.
    pub deviation: f64,
    /// Smallest value.
    pub low: f32,
    /// Largest value.
    pub high: f32,
}

impl Summary {
    /// Smallest and largest value.
    #[must_use]
    pub fn range(&self) -> (f32, f32) {
        (self.low, self.high)
    }
}

/// Values that are summed in single precision before they go into a double.
const BLOCK: usize = 256;
/// Sums that run side by side.
const LANES: usize = 16;

/// Mean, spread and range of an image in two fast passes. Spread is taken about the mean, so it does not cancel.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::stats::summary;
///
/// let image = Array3::from_shape_vec((1, 1, 2), vec![1.0, 3.0]).unwrap();
/// let found = summary(image.view());
/// assert_eq!((found.mean, found.deviation, found.range()), (2.0, 1.0, (1.0, 3.0)));
/// ```
#[must_use]
pub fn summary(array: ArrayView3<'_, f32>) -> Summary {
    let owned;
    let values = match array.as_slice_memory_order() {
        Some(values) => values,
        None => {
            owned = array.iter().copied().collect::<Vec<_>>();
            &owned
        }
    };
    wide(
        #[inline(always)]
        || {
            let n = values.len().max(1) as f64;
            let (low, high) = extremes(values);
            let mean = blocked_sum(values, |value| value) / n;
            let center = mean as f32;
            let variance = blocked_sum(values, |value| (value - center) * (value - center)) / n;
            Summary { mean, deviation: variance.sqrt(), low, high }
        },
    )
}

#[inline(always)]
fn blocked_sum(values: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let block = |block: &[f32]| {
        let mut sums = [0.0_f32; LANES];
        let (lanes, rest) = block.as_chunks::<LANES>();
        for lane in lanes {
            sums.iter_mut().zip(lane).for_each(|(sum, value)| *sum += term(*value));
        }
        f64::from(sums.iter().sum::<f32>() + rest.iter().map(|value| term(*value)).sum::<f32>())
    };
    values.chunks(BLOCK).map(block).sum()
}

#[inline(always)]
fn extremes(values: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let (lanes, rest) = values.as_chunks::<LANES>();
    for lane in lanes {
        for k in 0..LANES {
            low[k] = if lane[k] < low[k] { lane[k] } else { low[k] };
            high[k] = if lane[k] > high[k] { lane[k] } else { high[k] };
        }
    }
    let all = |lanes: [f32; LANES]| lanes.into_iter().chain(rest.iter().copied());
    (all(low).fold(f32::INFINITY, f32::min), all(high).fold(f32::NEG_INFINITY, f32::max))
}

/// The distinct values, ascending.
#[must_use]
pub fn unique(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut found: Vec<f32> = Vec::new();
    let mut last = f32::NAN;
    for value in values {
        if value != last && !found.contains(&value) {
            found.push(value);
        }
        last = value;
    }
    found.sort_by(f32::total_cmp);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate() {
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0, 4.0], 50.0), 2.5);
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0, 4.0], 100.0), 4.0);
        assert_eq!(percentile_f64(&[1.0, 2.0], 10.0), 1.1);
        assert!(percentile(&mut [], 50.0).is_nan());
    }

    #[test]
    fn a_summary_is_that_of_the_values() {
        let array = ndarray::Array3::from_shape_fn((3, 11, 9), |(z, y, x)| 1e3 + (z * 7 + y * 3 + x) as f32);
        let values: Vec<f32> = array.iter().copied().collect();
        let (mean, deviation) = mean_std(&values);
        let ours = summary(array.view());
        assert!((ours.mean - mean).abs() < 1e-4 && (ours.deviation - deviation).abs() < 1e-4);
        assert_eq!(ours.range(), (1000.0, 1052.0));
    }

    #[test]
    fn halves_go_to_even() {
        assert_eq!([0.5, 1.5, 2.5, 3.5, 4.5].map(round_half_even), [0.0, 2.0, 2.0, 4.0, 4.0]);
    }
}
