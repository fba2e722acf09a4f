//! v2's Gaussian blur.

use ndarray::ArrayViewMut3;
use nnunet_numerics::stats::round_half_even;
use nnunet_numerics::{Ends, convolve_symmetric};
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, channels, draw};

/// Width of a kernel in standard deviations.
const WIDTH: f64 = 6.0;

/// Blurs channels with a Gaussian, each axis with its own sigma. Source: batchgeneratorsv2 `GaussianBlurTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AxisBlur {
    /// Probability per sample.
    pub p_blur: f64,
    /// Probability per channel of a selected sample.
    pub p_blur_per_channel: f64,
    /// Sigma, voxels.
    pub blur_sigma: Interval,
    /// One sigma for all axes of a channel.
    pub blur_synchronize_axes: bool,
}

impl Default for AxisBlur {
    fn default() -> Self {
        Self { p_blur: 0.2, p_blur_per_channel: 0.5, blur_sigma: [0.5, 1.0], blur_synchronize_axes: false }
    }
}

impl AxisBlur {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_blur) {
            channels(&mut sample.data, self.p_blur_per_channel, random, |channel, random| {
                blur_axes(channel, self.draw(random));
            });
        }
    }

    pub(crate) fn draw(&self, random: &mut RandomStream) -> [f64; 3] {
        if self.blur_synchronize_axes {
            [draw(self.blur_sigma, random); 3]
        } else {
            [(); 3].map(|()| draw(self.blur_sigma, random))
        }
    }
}

/// Blurs with a sigma in voxels along z, y and x. Axes of length 1 are left alone. The image is mirrored about its
/// border voxels.
///
/// Source: batchgeneratorsv2 `blur_dimension`.
pub fn blur_axes(channel: ArrayViewMut3<'_, f32>, sigma: [f64; 3]) {
    let kernels =
        std::array::from_fn(
            |axis| {
                if channel.shape()[axis] > 1 { half_kernel(sigma[axis]) } else { Vec::new() }
            },
        );
    convolve_symmetric(channel, &kernels, Ends::Mirror);
}

/// Weights of distance 0, 1, 2, ...; they sum to one over both sides.
fn half_kernel(sigma: f64) -> Vec<f32> {
    let radius = nearest_odd(sigma * WIDTH + 0.5) / 2;
    let raw: Vec<f32> = (0..=radius).map(|at| (-0.5 * (at as f64 / sigma).powi(2)).exp() as f32).collect();
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f32>();
    raw.into_iter().map(|weight| weight / sum).collect()
}

/// The odd integer nearest to a number; the lower one where both are equally near and 1 at least.
fn nearest_odd(value: f64) -> usize {
    let rounded = round_half_even(value).max(1.0);
    match rounded as usize {
        odd if !odd.is_multiple_of(2) => odd,
        even if value >= rounded => even + 1,
        even => even - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kernel sizes of `_build_kernel` for sigma 0.3, 0.5, 0.6, 0.75, 0.95, 1 and 1.5.
    #[test]
    fn kernels_have_the_size_of_v2() {
        let sizes = [0.3, 0.5, 0.6, 0.75, 0.95, 1.0, 1.5].map(|sigma| half_kernel(sigma).len() * 2 - 1);
        assert_eq!(sizes, [3, 3, 5, 5, 7, 7, 9]);
    }
}
