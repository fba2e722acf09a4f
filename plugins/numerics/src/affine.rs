//! Sampling on an affine grid: `scipy.ndimage.map_coordinates(mode="constant")` for rotation and scaling.

use ndarray::{Array3, ArrayView3};

use crate::axis::cubic_weights;
use crate::label_resize::Votes;

/// Maps an output voxel to a position in the input: `matrix * (voxel - output_centre) + input_centre`, (z, y, x).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Rows give the input's z, y and x.
    pub matrix: [[f64; 3]; 3],
    /// Point of the output that the matrix leaves in place.
    pub output_centre: [f64; 3],
    /// Where that point lies in the input.
    pub input_centre: [f64; 3],
}

impl Affine {
    fn apply(&self, voxel: [usize; 3]) -> [f64; 3] {
        let from: [f64; 3] = std::array::from_fn(|axis| voxel[axis] as f64 - self.output_centre[axis]);
        std::array::from_fn(|axis| {
            let row = self.matrix[axis];
            row[0] * from[0] + row[1] * from[1] + row[2] * from[2] + self.input_centre[axis]
        })
    }
}

/// Samples an image of which `coefficients` are the cubic spline coefficients ([`prefilter`](crate::prefilter) with
/// [`Boundary::Mirror`](crate::Boundary)). Positions outside the input give `outside`.
#[must_use]
pub fn sample_affine(
    coefficients: ArrayView3<'_, f32>,
    shape: [usize; 3],
    affine: &Affine,
    outside: f32,
) -> Array3<f32> {
    let extent = [coefficients.shape()[0], coefficients.shape()[1], coefficients.shape()[2]];
    let coefficients = coefficients.as_standard_layout();
    let values = coefficients.as_slice().unwrap_or_default();
    Array3::from_shape_fn(shape, |(z, y, x)| {
        let at = affine.apply([z, y, x]);
        if is_outside(at, extent) { outside } else { cubic(values, extent, at) }
    })
}

/// Samples a label map with linear indicators: the strongest label wins; positions outside give `outside`.
#[must_use]
pub fn sample_affine_labels(
    labels: ArrayView3<'_, f32>,
    shape: [usize; 3],
    affine: &Affine,
    outside: f32,
) -> Array3<f32> {
    let extent = [labels.shape()[0], labels.shape()[1], labels.shape()[2]];
    let labels = labels.as_standard_layout();
    let values = labels.as_slice().unwrap_or_default();
    Array3::from_shape_fn(shape, |(z, y, x)| {
        let at = affine.apply([z, y, x]);
        if is_outside(at, extent) { outside } else { strongest(values, extent, at) }
    })
}

fn is_outside(at: [f64; 3], extent: [usize; 3]) -> bool {
    at.iter().zip(extent).any(|(at, n)| *at < 0.0 || *at > (n - 1) as f64)
}

fn cubic(values: &[f32], extent: [usize; 3], at: [f64; 3]) -> f32 {
    let first = at.map(|at| at.floor() as isize - 1);
    let weights = at.map(|at| cubic_weights(at - at.floor()).map(|weight| weight as f32));
    let mut sum = 0.0;
    for (dz, wz) in weights[0].iter().enumerate() {
        let z = mirror(first[0] + dz as isize, extent[0]) * extent[1];
        let mut plane = 0.0;
        for (dy, wy) in weights[1].iter().enumerate() {
            let row = (z + mirror(first[1] + dy as isize, extent[1])) * extent[2];
            let inner = first[2] >= 0 && first[2] as usize + 4 <= extent[2];
            let line: f32 = if inner {
                let from = row + first[2] as usize;
                values[from..from + 4].iter().zip(&weights[2]).map(|(value, wx)| value * wx).sum()
            } else {
                let tap = |dx: usize| values[row + mirror(first[2] + dx as isize, extent[2])];
                weights[2].iter().enumerate().map(|(dx, wx)| tap(dx) * wx).sum()
            };
            plane += wy * line;
        }
        sum += wz * plane;
    }
    sum
}

fn strongest(values: &[f32], extent: [usize; 3], at: [f64; 3]) -> f32 {
    let corner = |offset: [usize; 3]| {
        let [z, y, x]: [usize; 3] =
            std::array::from_fn(|axis| (at[axis].floor() as usize + offset[axis]).min(extent[axis] - 1));
        values[(z * extent[1] + y) * extent[2] + x]
    };
    let mut votes = Votes::default();
    for i in 0..8 {
        let offset = [i >> 2 & 1, i >> 1 & 1, i & 1];
        let weight: f64 = (0..3)
            .map(|axis| {
                let fraction = at[axis] - at[axis].floor();
                if offset[axis] == 1 { fraction } else { 1.0 - fraction }
            })
            .product();
        votes.add(corner(offset), weight);
    }
    votes.winner(|| {
        let [z, y, x] = at.map(|at| (at + 0.5).floor() as usize);
        values[(z * extent[1] + y) * extent[2] + x]
    })
}

/// Index of a sample beyond the ends, mirrored about the edge sample.
fn mirror(at: isize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n as isize - 1);
    let folded = at.rem_euclid(period);
    (if folded < n as isize { folded } else { period - folded }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Boundary, prefilter};

    #[test]
    fn the_identity_returns_the_image() {
        let image = Array3::from_shape_fn((5, 6, 7), |(z, y, x)| ((z * 31 + y * 17 + x * 7) % 13) as f32);
        let mut coefficients = image.clone();
        prefilter(coefficients.view_mut(), Boundary::Mirror);
        let centre = [2.0, 2.5, 3.0];
        let identity = Affine {
            matrix: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            output_centre: centre,
            input_centre: centre,
        };
        let out = sample_affine(coefficients.view(), [5, 6, 7], &identity, 0.0);
        assert!(out.iter().zip(&image).all(|(a, b)| (a - b).abs() < 1e-4));
        assert_eq!(sample_affine_labels(image.view(), [5, 6, 7], &identity, -1.0), image);
    }
}
