//! Gaussian filters, `scipy.ndimage.gaussian_filter` (kernel cut at four standard deviations).

use ndarray::{Array3, ArrayViewMut3};

use crate::lines::for_each_block;
use crate::wide::wide;

/// Standard deviations after which the kernel is cut.
const TRUNCATE: f64 = 4.0;

/// Half kernel: weight of distance 0, 1, 2, ...; sums to one over both sides.
fn kernel(sigma: f64) -> Vec<f64> {
    let radius = (TRUNCATE * sigma + 0.5) as usize;
    let raw: Vec<f64> = (0..=radius).map(|d| (-0.5 * (d as f64 / sigma).powi(2)).exp()).collect();
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    raw.into_iter().map(|weight| weight / sum).collect()
}

/// How a line goes on beyond its ends under a blur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// d c b a | a b c d | d c b a: scipy's mode `reflect`.
    Reflect,
    /// Zero: scipy's mode `constant`.
    Zero,
    /// Begins again: scipy's mode `wrap`.
    Wrap,
    /// d c b | a b c d | c b a: torch's mode `reflect`.
    Mirror,
}

/// Blurs in place with one sigma (voxels) per axis; 0 leaves an axis alone.
///
/// Source: `scipy.ndimage.gaussian_filter` (the kernel ends after 4 standard deviations).
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Ends, gaussian_blur};
///
/// let mut image = Array3::from_elem((1, 8, 8), 2.0);
/// gaussian_blur(image.view_mut(), [0.0, 1.0, 1.0], Ends::Reflect);
/// assert!(image.iter().all(|value| (value - 2.0).abs() < 1e-5), "a constant stays constant");
/// ```
pub fn gaussian_blur(array: ArrayViewMut3<'_, f32>, sigma: [f64; 3], ends: Ends) {
    let weights = |sigma: f64| kernel(sigma).into_iter().map(|weight| weight as f32).collect();
    convolve_symmetric(
        array,
        &sigma.map(|sigma| if sigma > 0.0 { weights(sigma) } else { Vec::new() }),
        ends,
    );
}

/// Convolves in place with a symmetric kernel per axis: the weight of distance 0, 1, 2, ...; an axis without weights is
/// left alone.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Ends, convolve_symmetric};
///
/// let mut line = Array3::from_shape_vec((1, 1, 4), vec![0.0, 4.0, 0.0, 0.0]).unwrap();
/// convolve_symmetric(line.view_mut(), &[vec![], vec![], vec![0.5, 0.25]], Ends::Mirror);
/// assert_eq!(line.as_slice(), Some(&[2.0, 2.0, 1.0, 0.0][..]));
/// ```
pub fn convolve_symmetric(mut array: ArrayViewMut3<'_, f32>, kernels: &[Vec<f32>; 3], ends: Ends) {
    let mut padded = Vec::new();
    for (axis, weights) in kernels.iter().enumerate().filter(|(_, weights)| !weights.is_empty()) {
        for_each_block(array.view_mut(), axis, |block, lines| {
            pad(block, lines, weights.len() - 1, ends, &mut padded);
            wide(
                #[inline(always)]
                || {
                    for (i, row) in block.chunks_mut(lines).enumerate() {
                        let at = |k: usize| &padded[(i + k) * lines..(i + k + 1) * lines];
                        blur_row(row, weights, at);
                    }
                },
            );
        });
    }
}

/// `out` = weighted sum of the row in the middle and of pairs around it; `row` counts from the first of them.
#[inline(always)]
fn blur_row<'a>(out: &mut [f32], weights: &[f32], row: impl Fn(usize) -> &'a [f32]) {
    let radius = weights.len() - 1;
    out.iter_mut().zip(row(radius)).for_each(|(out, center)| *out = weights[0] * center);
    for (distance, weight) in weights.iter().enumerate().skip(1) {
        let pairs = row(radius - distance).iter().zip(row(radius + distance));
        out.iter_mut().zip(pairs).for_each(|(out, (before, after))| *out += weight * (before + after));
    }
}

/// The rows of a block with `radius` more at both ends.
fn pad(block: &[f32], lines: usize, radius: usize, ends: Ends, padded: &mut Vec<f32>) {
    let n = block.len() / lines;
    padded.clear();
    for k in 0..n + 2 * radius {
        match ends.index(k as isize - radius as isize, n) {
            Some(row) => padded.extend_from_slice(&block[row * lines..(row + 1) * lines]),
            None => padded.resize(padded.len() + lines, 0.0),
        }
    }
}

impl Ends {
    /// Index of a sample beyond the ends of a line; none: zero.
    fn index(self, at: isize, n: usize) -> Option<usize> {
        let n = n as isize;
        match self {
            Ends::Zero => (0..n).contains(&at).then_some(at as usize),
            Ends::Wrap => Some(at.rem_euclid(n) as usize),
            Ends::Reflect => {
                let folded = at.rem_euclid(2 * n);
                Some((if folded < n { folded } else { 2 * n - 1 - folded }) as usize)
            }
            Ends::Mirror => {
                let period = (2 * (n - 1)).max(1);
                let folded = at.rem_euclid(period);
                Some((if folded < n { folded } else { period - folded }) as usize)
            }
        }
    }
}

/// Weights of a tile's voxels in the sliding window: a Gaussian of sigma = patch / 8 around `patch / 2`, maximum one,
/// zeros replaced by the smallest positive value (v1 `_get_gaussian`). `patch` is (z, y, x); a slice has z = 1.
///
/// ```
/// use nnunet_numerics::gaussian_importance_map;
///
/// let weights = gaussian_importance_map([8, 16, 16]);
/// assert_eq!(weights[[4, 8, 8]], 1.0);
/// assert!(weights.iter().all(|weight| *weight > 0.0));
/// ```
#[must_use]
pub fn gaussian_importance_map(patch: [usize; 3]) -> Array3<f32> {
    let lines = patch.map(importance_line);
    let mut map = Array3::from_shape_fn(patch, |(z, y, x)| lines[0][z] * lines[1][y] * lines[2][x]);
    let highest = map.iter().copied().fold(0.0, f64::max);
    map.mapv_inplace(|value| value / highest);
    let mut map = map.mapv(|value| value as f32);
    let lowest = map.iter().copied().filter(|value| *value > 0.0).fold(f32::INFINITY, f32::min);
    map.mapv_inplace(|value| if value == 0.0 { lowest } else { value });
    map
}

/// The response to a unit pulse at the middle of a line, zero beyond the kernel.
fn importance_line(n: usize) -> Vec<f64> {
    if n == 1 {
        return vec![1.0];
    }
    let weights = kernel(n as f64 / 8.0);
    (0..n).map(|i| weights.get(i.abs_diff(n / 2)).copied().unwrap_or(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of nnunet 1.7.1 for a patch of 32 x 40 x 40.
    #[test]
    fn importance_map_agrees_with_v1() {
        let map = gaussian_importance_map([32, 40, 40]);
        assert_eq!(map[[16, 20, 20]], 1.0);
        assert!((map[[0, 0, 0]] / 3.775_134_4e-11 - 1.0).abs() < 1e-4, "{}", map[[0, 0, 0]]);
        assert!((map[[16, 20, 0]] / 3.354_626_2e-4 - 1.0).abs() < 1e-4, "{}", map[[16, 20, 0]]);
    }

    #[test]
    fn blur_keeps_the_mean_of_a_constant() {
        let mut array = Array3::from_elem((3, 4, 5), 2.0);
        gaussian_blur(array.view_mut(), [1.0, 0.5, 2.0], Ends::Reflect);
        assert!(array.iter().all(|value| (value - 2.0).abs() < 1e-5));
    }
}
