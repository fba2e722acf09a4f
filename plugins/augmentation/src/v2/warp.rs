//! Resampling of a sample on v2's grid.

use ndarray::{Array4, ArrayView3, ArrayViewMut3, s};
use nnunet_numerics::{Affine, sample_linear, sample_linear_labels, sample_nearest};
use nnunet_plugin_core::Sample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spatial::{product, rotations};

/// Label outside of a sample: it becomes background, and images are cleared there if they were normalized in a mask.
const OUTSIDE: f32 = -1.0;

/// How values between voxels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// Linear.
    Linear,
    /// The nearest voxel.
    Nearest,
}

/// Rotation about z, y and x and scale along z, y and x of a sampling grid; of slices, rotation about z in their plane.
///
/// Source: batchgeneratorsv2 `create_affine_matrix_3d`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearWarp {
    /// Angles, radians. The grid is rotated about z first.
    pub angles: [f64; 3],
    /// Factor of the grid before the rotation: values above 1 shrink the image.
    pub scale: [f64; 3],
}

impl LinearWarp {
    fn affine(&self, extent: [usize; 3], patch: [usize; 3]) -> Affine {
        let [first, second, third] = rotations(self.angles);
        let turn = product(&third, &product(&second, &first));
        let center = |size: [usize; 3]| size.map(|len| (len as f64 - 1.0) / 2.0);
        Affine {
            matrix: turn.map(|row| std::array::from_fn(|axis| row[axis] * self.scale[axis])),
            output_center: center(patch),
            input_center: center(extent),
        }
    }

    /// The box around the center that contains all neighbors of all positions.
    pub(super) fn needs(&self, patch: [usize; 3]) -> [usize; 3] {
        let affine = self.affine(patch, patch);
        let reach = |row: [f64; 3]| -> f64 {
            (0..3).map(|axis| row[axis].abs() * (patch[axis] as f64 - 1.0) / 2.0).sum()
        };
        let mut needed = affine.matrix.map(|row| (2.0 * (reach(row) + 1.0)).ceil() as usize + 1);
        if affine.is_planar() {
            needed[0] = patch[0];
        }
        needed
    }
}

/// Samples the central `patch` (z, y, x) of a sample. Outside of it images are 0 and labels -1.
///
/// Source: batchgeneratorsv2 `SpatialTransform`.
#[must_use]
pub fn warp_linear(
    sample: &Sample,
    patch: [usize; 3],
    warp: &LinearWarp,
    images: Interpolation,
    labels: Interpolation,
) -> Sample {
    let extent = [sample.data.shape()[1], sample.data.shape()[2], sample.data.shape()[3]];
    let affine = warp.affine(extent, patch);
    let data = each_channel(&sample.data, patch, |from, to| match images {
        Interpolation::Linear => sample_linear(from, &affine, to),
        Interpolation::Nearest => sample_nearest(from, &affine, 0.0, to),
    });
    let seg = each_channel(&sample.seg, patch, |from, to| match labels {
        Interpolation::Linear => sample_linear_labels(from, &affine, OUTSIDE, to),
        Interpolation::Nearest => sample_nearest(from, &affine, OUTSIDE, to),
    });
    Sample { data, seg }
}

fn each_channel(
    from: &Array4<f32>,
    [z, y, x]: [usize; 3],
    work: impl Fn(ArrayView3<'_, f32>, ArrayViewMut3<'_, f32>),
) -> Array4<f32> {
    let mut out = Array4::zeros((from.shape()[0], z, y, x));
    from.outer_iter().zip(out.outer_iter_mut()).for_each(|(from, to)| work(from, to));
    out
}

/// Cuts a sample to its central box. Where the sizes differ by an odd number, the center is that of v2: the voxel at
/// half of either size.
pub(super) fn center_cut(sample: &mut Sample, patch: [usize; 3]) {
    for array in [&mut sample.data, &mut sample.seg] {
        let shape = [array.shape()[1], array.shape()[2], array.shape()[3]];
        if shape != patch {
            let from: [usize; 3] =
                std::array::from_fn(|axis| (shape[axis] / 2).saturating_sub(patch[axis] / 2));
            let [z, y, x] = std::array::from_fn(|axis| from[axis]..from[axis] + patch[axis]);
            *array = array.slice(s![.., z, y, x]).to_owned();
        }
    }
}
