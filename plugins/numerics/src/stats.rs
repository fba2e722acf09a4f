//! NumPy's statistics.

/// Rounds to the nearest integer, halves to the even one (`np.round`, Python's `round`).
#[must_use]
pub fn round_half_even(value: f64) -> f64 {
    value.round_ties_even()
}

/// Percentile (0 to 100) with linear interpolation, of unsorted values. NaN when there are none.
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
#[must_use]
pub fn mean_std(values: &[f32]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    let variance = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
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
    fn halves_go_to_even() {
        assert_eq!([0.5, 1.5, 2.5, 3.5, 4.5].map(round_half_even), [0.0, 2.0, 2.0, 4.0, 4.0]);
    }
}
