//! The resampling functions that v2's plans name.

use ndarray::{Array3, Array4};
use nnunet_numerics::{
    Resampling, resample, resample_labels, resample_most_likely, resampled_shape, separate_axis,
};
use serde::Deserialize;

/// Functions by v2's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Function {
    /// Splines, as v1's.
    #[default]
    #[serde(rename = "resample_data_or_seg_to_shape")]
    Spline,
    /// libtorch's linear interpolation; nearest along an axis of its own.
    #[serde(rename = "resample_torch_fornnunet")]
    Linear,
    /// No resampling: networks see images in their own spacing.
    #[serde(rename = "no_resampling_hack")]
    Keep,
}

/// Arguments of the functions.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct Kwargs {
    pub(super) order: u32,
    pub(super) order_z: u32,
    pub(super) force_separate_z: Option<bool>,
}

impl Default for Kwargs {
    fn default() -> Self {
        Self { order: 3, order_z: 0, force_separate_z: None }
    }
}

impl Kwargs {
    /// What v2's planners write for labels.
    pub(super) fn of_labels() -> Self {
        Self { order: 1, ..Self::default() }
    }
}

/// A function with its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resampler {
    pub(super) function: Function,
    pub(super) kwargs: Kwargs,
}

impl Resampler {
    /// Size on the other grid.
    pub(super) fn shape(&self, shape: [usize; 3], from: [f64; 3], to: [f64; 3]) -> [usize; 3] {
        if self.function == Function::Keep { shape } else { resampled_shape(shape, from, to) }
    }

    /// The same function among the program's own.
    pub(super) fn how(&self, from: [f64; 3], to: [f64; 3]) -> Resampling {
        let Kwargs { order, order_z, force_separate_z } = self.kwargs;
        let separate = separate_axis(from, to, force_separate_z);
        match self.function {
            Function::Spline => Resampling { order, order_z, separate },
            Function::Linear | Function::Keep => Resampling { order: 1, order_z: 0, separate },
        }
    }

    /// Whether scores can only be resampled whole.
    pub(super) fn is_cubic(&self) -> bool {
        self.function == Function::Spline && self.kwargs.order > 1
    }

    /// Whether scores stay in the half precision that the network's come in.
    pub(super) fn keeps_half_precision(&self) -> bool {
        self.function != Function::Linear
    }

    /// An image, (channels, z, y, x).
    pub(super) fn image(&self, image: Array4<f32>, from: [f64; 3], to: [f64; 3]) -> Array4<f32> {
        let (_, z, y, x) = image.dim();
        let shape = self.shape([z, y, x], from, to);
        if shape == [z, y, x] { image } else { resample(image.view(), shape, self.how(from, to)) }
    }

    /// A label map, (z, y, x).
    pub(super) fn labels(&self, labels: Array3<f32>, from: [f64; 3], to: [f64; 3]) -> Array3<f32> {
        let (z, y, x) = labels.dim();
        let shape = self.shape([z, y, x], from, to);
        if shape == [z, y, x] {
            return labels;
        }
        match self.function {
            Function::Linear => resample_most_likely(labels.view(), shape, self.how(from, to)),
            Function::Spline | Function::Keep => resample_labels(labels.view(), shape, self.how(from, to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;

    fn linear() -> Resampler {
        Resampler { function: Function::Linear, kwargs: Kwargs::default() }
    }

    /// Values by `torch.nn.functional.interpolate`.
    #[test]
    fn linear_is_libtorchs() {
        let image = array![[[[0.0_f32, 1.0, 4.0]]]];
        let made = linear().image(image, [1.0; 3], [1.0, 1.0, 0.5]);
        assert_eq!(made, array![[[[0.0, 0.25, 0.75, 1.75, 3.25, 4.0]]]]);
    }

    #[test]
    fn labels_that_meet_become_the_most_likely() {
        // Where three labels meet none has half of a voxel: splines would leave background.
        let labels = array![[[1.0_f32, 2.0], [3.0, 3.0]]];
        let made = linear().labels(labels, [1.0; 3], [1.0, 1.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(made.index_axis(Axis(0), 0).row(3), array![3.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
        assert!(made.iter().all(|label| *label >= 1.0));
    }

    #[test]
    fn keeping_changes_nothing() {
        let keep = Resampler { function: Function::Keep, kwargs: Kwargs::default() };
        assert_eq!(keep.shape([3, 4, 5], [1.0; 3], [2.0; 3]), [3, 4, 5]);
    }
}
