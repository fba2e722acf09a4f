//! Rotation and scaling in one resampling pass, and mirroring.

use ndarray::{Array3, Array4, Axis, s};
use nnunet_numerics::{Affine, Boundary, prefilter, sample_affine, sample_affine_labels};

/// Rotates by `angles` (radians, v1's order Rx, Ry, Rz) and scales the sampling grid by `scale`, then takes the central
/// `patch`: cubic for images (0 outside), strongest label for segmentations (-1 outside).
#[must_use]
pub fn spatial(
    data: &Array4<f32>,
    seg: &Array4<f32>,
    patch: [usize; 3],
    angles: [f64; 3],
    scale: f64,
) -> (Array4<f32>, Array4<f32>) {
    let extent = [data.shape()[1], data.shape()[2], data.shape()[3]];
    let affine = affine(extent, patch, angles, scale);
    let image = each_channel(data, patch, |channel| {
        let mut coefficients = channel;
        prefilter(coefficients.view_mut(), Boundary::Mirror);
        sample_affine(coefficients.view(), patch, &affine, 0.0)
    });
    let labels =
        each_channel(seg, patch, |channel| sample_affine_labels(channel.view(), patch, &affine, -1.0));
    (image, labels)
}

fn each_channel(
    from: &Array4<f32>,
    patch: [usize; 3],
    work: impl Fn(Array3<f32>) -> Array3<f32>,
) -> Array4<f32> {
    let mut out = Array4::zeros((from.shape()[0], patch[0], patch[1], patch[2]));
    for (channel, mut to) in from.outer_iter().zip(out.outer_iter_mut()) {
        to.assign(&work(channel.to_owned()));
    }
    out
}

/// Row vectors times Rx Ry Rz: the matrix is transposed for our column vectors.
fn affine(extent: [usize; 3], patch: [usize; 3], angles: [f64; 3], scale: f64) -> Affine {
    let [(sa, ca), (sb, cb), (sc, cc)] = angles.map(f64::sin_cos);
    let about_first = [[1.0, 0.0, 0.0], [0.0, ca, -sa], [0.0, sa, ca]];
    let about_second = [[cb, 0.0, sb], [0.0, 1.0, 0.0], [-sb, 0.0, cb]];
    let about_third = [[cc, -sc, 0.0], [sc, cc, 0.0], [0.0, 0.0, 1.0]];
    let turn = product(&product(&about_first, &about_second), &about_third);
    // A slice is scaled within its plane only: its single z coordinate is 0.
    let centre = |size: [usize; 3]| size.map(|len| len as f64 / 2.0 - 0.5);
    Affine {
        matrix: std::array::from_fn(|i| std::array::from_fn(|j| turn[j][i] * scale)),
        output_centre: centre(patch),
        input_centre: centre(extent),
    }
}

fn product(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The central box of a sample.
#[must_use]
pub(crate) fn centre_crop(array: &Array4<f32>, patch: [usize; 3]) -> Array4<f32> {
    let from: [usize; 3] =
        std::array::from_fn(|axis| (array.shape()[axis + 1].saturating_sub(patch[axis])) / 2);
    let end: [usize; 3] = std::array::from_fn(|axis| from[axis] + patch[axis]);
    array.slice(s![.., from[0]..end[0], from[1]..end[1], from[2]..end[2]]).to_owned()
}

/// Mirrors spatial axes (0 is z) in place.
pub fn mirror(array: &mut Array4<f32>, axes: &[usize]) {
    for axis in axes {
        array.invert_axis(Axis(axis + 1));
    }
    *array = array.as_standard_layout().into_owned();
}
