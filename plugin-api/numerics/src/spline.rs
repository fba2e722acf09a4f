//! Cubic B-spline coefficients: the recursive prefilter of Unser, Aldroubi and Eden (1993) with SciPy's boundaries.

use std::ops::Range;

use ndarray::ArrayViewMut3;

use crate::lines::for_each_block;

/// Pole of the cubic B-spline filter: sqrt(3) - 2.
pub(crate) const POLE: f64 = -0.267_949_192_431_122_7;
/// Gain that makes the two passes together an inverse.
pub(crate) const GAIN: f32 = 6.0;
/// Samples after which the filter's memory is below f32 precision.
const HORIZON: usize = 16;

/// How a line continues beyond its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// The edge value for ever (scipy mode `nearest` with its padding).
    Edge,
    /// Mirrored about the edge sample (what scipy filters with in mode `constant`).
    Mirror,
}

/// Samples that [`Boundary::Edge`] needs beyond each end to be exact to f32: scipy pads by 12 as well.
pub const EDGE_PADDING: usize = 12;

/// Replaces an array by its cubic B-spline coefficients along those of `axes` that are longer than one.
///
/// Source: `scipy.ndimage.spline_filter` with order 3.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Boundary, prefilter};
///
/// let mut image = Array3::from_elem((1, 6, 6), 2.0_f32);
/// prefilter(image.view_mut(), Boundary::Mirror, 1..3);
/// assert!(image.iter().all(|value| (value - 2.0).abs() < 1e-5), "a constant is its own spline");
/// ```
pub fn prefilter(mut array: ArrayViewMut3<'_, f32>, boundary: Boundary, axes: Range<usize>) {
    for axis in axes.filter(|axis| array.shape()[*axis] > 1).collect::<Vec<_>>() {
        for_each_block(array.view_mut(), axis, |block, lines| filter_rows(block, lines, boundary));
    }
}

/// Filters one line in place.
pub(crate) fn filter_line(line: &mut [f32], boundary: Boundary) {
    filter_rows(line, 1, boundary);
}

/// Filters along the first axis of an (n, inner) block: every column is a line. Working on whole rows keeps the inner
/// loop contiguous.
pub(crate) fn filter_rows(block: &mut [f32], inner: usize, boundary: Boundary) {
    let n = block.len() / inner;
    if n < 2 {
        return;
    }
    let pole = POLE as f32;
    block.iter_mut().for_each(|value| *value *= GAIN);
    start_causal(block, inner, n, boundary);
    for k in 1..n {
        let (before, rest) = block.split_at_mut(k * inner);
        let previous = &before[(k - 1) * inner..];
        rest[..inner].iter_mut().zip(previous).for_each(|(value, last)| *value += pole * last);
    }
    start_anticausal(block, inner, n, boundary);
    for k in (0..n - 1).rev() {
        let (before, rest) = block.split_at_mut((k + 1) * inner);
        let current = &mut before[k * inner..];
        current.iter_mut().zip(&rest[..inner]).for_each(|(value, next)| *value = pole * (next - *value));
    }
}

fn start_causal(block: &mut [f32], inner: usize, n: usize, boundary: Boundary) {
    match boundary {
        Boundary::Edge => block[..inner].iter_mut().for_each(|value| *value /= 1.0 - POLE as f32),
        Boundary::Mirror => {
            for column in 0..inner {
                block[column] = mirrored_start(|k| f64::from(block[k * inner + column]), n) as f32;
            }
        }
    }
}

/// Sum of pole^k times the mirrored signal: exact for short lines, truncated where nothing is left of it.
fn mirrored_start(at: impl Fn(usize) -> f64, n: usize) -> f64 {
    if n > HORIZON {
        let mut power = 1.0;
        let mut sum = 0.0;
        for k in 0..HORIZON {
            sum += power * at(k);
            power *= POLE;
        }
        return sum;
    }
    let period = 2 * n - 2;
    let sum: f64 = (0..period).map(|k| POLE.powi(k as i32) * at(if k < n { k } else { period - k })).sum();
    sum / (1.0 - POLE.powi(period as i32))
}

fn start_anticausal(block: &mut [f32], inner: usize, n: usize, boundary: Boundary) {
    let pole = POLE as f32;
    let (before, last) = block.split_at_mut((n - 1) * inner);
    match boundary {
        Boundary::Edge => last.iter_mut().for_each(|value| *value *= pole / (pole - 1.0)),
        Boundary::Mirror => {
            let factor = (POLE / (POLE * POLE - 1.0)) as f32;
            let previous = &before[(n - 2) * inner..];
            last.iter_mut().zip(previous).for_each(|(value, prev)| *value = (pole * prev + *value) * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_reproduce_the_samples() {
        for boundary in [Boundary::Mirror, Boundary::Edge] {
            let line: Vec<f32> = (0..30).map(|i| ((i * i) % 17) as f32).collect();
            let mut coefficients = line.clone();
            filter_line(&mut coefficients, boundary);
            for i in 1..29 {
                let back = (coefficients[i - 1] + 4.0 * coefficients[i] + coefficients[i + 1]) / 6.0;
                assert!((back - line[i]).abs() < 1e-4, "{boundary:?} at {i}: {back} instead of {}", line[i]);
            }
        }
    }

    #[test]
    fn short_lines_are_exact_too() {
        let line = [1.0_f32, 5.0, 2.0];
        let mut c = line;
        filter_line(&mut c, Boundary::Mirror);
        assert!(((c[1] + 4.0 * c[0] + c[1]) / 6.0 - line[0]).abs() < 1e-5);
        assert!(((c[0] + 4.0 * c[1] + c[2]) / 6.0 - line[1]).abs() < 1e-5);
    }
}
