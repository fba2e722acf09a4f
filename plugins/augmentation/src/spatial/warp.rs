//! Resampling of a sample.

use ndarray::{Array3, Array4, s};
use nnunet_numerics::{Affine, Boundary, Displacement, prefilter, sample_affine, sample_affine_labels};
use nnunet_plugin_core::Sample;

/// Maps the voxels of a patch to positions in the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Warp {
    /// Rotation about z, y and x in radians, in v1's order Rx, Ry, Rz; for 2D, the first one, in the plane.
    pub angles: [f64; 3],
    /// Factor of the sampling grid along z, y and x: values above 1 shrink the image.
    pub scale: [f64; 3],
    /// Displacement of the patch's voxels before rotation and scaling.
    pub displacement: Option<Displacement>,
}

impl Default for Warp {
    fn default() -> Self {
        Self { angles: [0.0; 3], scale: [1.0; 3], displacement: None }
    }
}

/// Samples the central `patch` (z, y, x) of a sample: cubic spline for images (0 outside), label with the largest
/// interpolated indicator for segmentations (-1 outside).
#[must_use]
pub fn warp(sample: &Sample, patch: [usize; 3], warp: &Warp) -> Sample {
    let extent = [sample.data.shape()[1], sample.data.shape()[2], sample.data.shape()[3]];
    let affine = warp.affine(extent, patch);
    let displacement = warp.displacement.as_ref();
    // Slices that are transformed in their plane need no spline across slices.
    let axes = if affine.is_planar() { 1..3 } else { 0..3 };
    let data = each_channel(&sample.data, patch, |mut image| {
        prefilter(image.view_mut(), Boundary::Mirror, axes.clone());
        sample_affine(image.view(), patch, &affine, displacement, 0.0)
    });
    let seg = each_channel(&sample.seg, patch, |labels| {
        sample_affine_labels(labels.view(), patch, &affine, displacement, -1.0)
    });
    Sample { data, seg }
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

impl Warp {
    /// Row vectors times Rx Ry Rz, then a factor per axis: the matrix is transposed for our column vectors.
    pub(super) fn affine(&self, extent: [usize; 3], patch: [usize; 3]) -> Affine {
        let turn = self.rotation();
        let center = |size: [usize; 3]| size.map(|len| len as f64 / 2.0 - 0.5);
        Affine {
            matrix: std::array::from_fn(|i| std::array::from_fn(|j| turn[j][i] * self.scale[i])),
            output_center: center(patch),
            input_center: center(extent),
        }
    }

    fn rotation(&self) -> [[f64; 3]; 3] {
        let [first, second, third] = rotations(self.angles);
        product(&product(&first, &second), &third)
    }
}

/// Rotations about z, y and x.
pub(crate) fn rotations(angles: [f64; 3]) -> [[[f64; 3]; 3]; 3] {
    let [(sa, ca), (sb, cb), (sc, cc)] = angles.map(f64::sin_cos);
    [
        [[1.0, 0.0, 0.0], [0.0, ca, -sa], [0.0, sa, ca]],
        [[cb, 0.0, sb], [0.0, 1.0, 0.0], [-sb, 0.0, cb]],
        [[cc, -sc, 0.0], [sc, cc, 0.0], [0.0, 0.0, 1.0]],
    ]
}

pub(crate) fn product(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The central box of a sample.
#[must_use]
pub(crate) fn center_crop(sample: Sample, patch: [usize; 3]) -> Sample {
    if sample.data.shape()[1..] == patch {
        return sample;
    }
    let cut = |array: &Array4<f32>| {
        let from: [usize; 3] =
            std::array::from_fn(|axis| (array.shape()[axis + 1].saturating_sub(patch[axis])) / 2);
        let end: [usize; 3] = std::array::from_fn(|axis| from[axis] + patch[axis]);
        array.slice(s![.., from[0]..end[0], from[1]..end[1], from[2]..end[2]]).to_owned()
    };
    Sample { data: cut(&sample.data), seg: cut(&sample.seg) }
}
