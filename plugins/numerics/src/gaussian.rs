//! Gaussian filters, `scipy.ndimage.gaussian_filter` (kernel cut at four standard deviations).

use ndarray::{Array3, ArrayViewMut3, Axis};

/// Standard deviations after which the kernel is cut.
const TRUNCATE: f64 = 4.0;

/// Half kernel: weight of distance 0, 1, 2, ...; sums to one over both sides.
fn kernel(sigma: f64) -> Vec<f64> {
    let radius = (TRUNCATE * sigma + 0.5) as usize;
    let raw: Vec<f64> = (0..=radius).map(|d| (-0.5 * (d as f64 / sigma).powi(2)).exp()).collect();
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f64>();
    raw.into_iter().map(|weight| weight / sum).collect()
}

/// Blurs in place with one sigma (voxels) per axis; 0 leaves an axis alone. Lines are reflected at their ends
/// (scipy's mode `reflect`).
pub fn gaussian_blur(mut array: ArrayViewMut3<'_, f32>, sigma: [f64; 3]) {
    for axis in (0..3).filter(|axis| sigma[*axis] > 0.0) {
        let weights: Vec<f32> = kernel(sigma[axis]).into_iter().map(|weight| weight as f32).collect();
        let n = array.shape()[axis];
        let radius = weights.len() - 1;
        let mut line = vec![0.0; n + 2 * radius];
        for mut lane in array.lanes_mut(Axis(axis)) {
            for (k, value) in line.iter_mut().enumerate() {
                *value = lane[reflect(k as isize - radius as isize, n)];
            }
            for (i, value) in lane.iter_mut().enumerate() {
                let centre = i + radius;
                let sides =
                    (1..=radius).map(|d| weights[d] * (line[centre - d] + line[centre + d])).sum::<f32>();
                *value = weights[0] * line[centre] + sides;
            }
        }
    }
}

/// Index of a sample beyond the ends: d c b a | a b c d | d c b a.
fn reflect(at: isize, n: usize) -> usize {
    let period = 2 * n as isize;
    let folded = at.rem_euclid(period);
    (if folded < n as isize { folded } else { period - 1 - folded }) as usize
}

/// Weights of a tile's voxels in the sliding window: a Gaussian of sigma = patch / 8 around `patch / 2`, maximum one,
/// zeros replaced by the smallest positive value (v1 `_get_gaussian`). `patch` is (z, y, x); a slice has z = 1.
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
        gaussian_blur(array.view_mut(), [1.0, 0.5, 2.0]);
        assert!(array.iter().all(|value| (value - 2.0).abs() < 1e-5));
    }
}
