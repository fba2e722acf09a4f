//! Transforms of a part of the image: blank rectangles, brightness gradients, local gamma, sharpening.

use ndarray::{Array3, ArrayViewMut3, Zip, s};
use nnunet_numerics::stats;
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, channels, draw};
use crate::gaussian::SpatialGaussian;

/// Replaces boxes by their mean. Source: `BlankRectangleTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rectangles {
    /// Probability per sample.
    pub p_rectangles: f64,
    /// Probability per channel of a selected sample.
    pub p_rectangles_per_channel: f64,
    /// Smallest and largest number of boxes.
    pub rectangles_number: [usize; 2],
    /// Smallest and largest edge, as divisors of the patch size: the smaller divisor gives the larger edge.
    pub rectangles_divisors: [usize; 2],
}

impl Default for Rectangles {
    fn default() -> Self {
        Self {
            p_rectangles: 0.4,
            p_rectangles_per_channel: 0.5,
            rectangles_number: [1, 5],
            rectangles_divisors: [10, 3],
        }
    }
}

impl Rectangles {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_rectangles) {
            let [fewest, most] = self.rectangles_number;
            channels(&mut sample.data, self.p_rectangles_per_channel, random, |mut channel, random| {
                for _ in 0..between(fewest, most, random) {
                    self.blank(&mut channel, random);
                }
            });
        }
    }

    fn blank(&self, channel: &mut ArrayViewMut3<'_, f32>, random: &mut RandomStream) {
        let [short, long] = self.rectangles_divisors.map(|divisor| divisor.max(1));
        let spans = [0, 1, 2].map(|axis| {
            let len = channel.shape()[axis];
            if len == 1 {
                return 0..1;
            }
            let edge = between((len / short).max(1), (len / long).max(1), random);
            let from = between(1, len - edge, random).min(len - edge);
            from..from + edge
        });
        let [z, y, x] = spans;
        let mut inside = channel.slice_mut(s![z, y, x]);
        let mean = inside.mean().unwrap_or(0.0);
        inside.fill(mean);
    }
}

/// Uniform in low..=high.
fn between(low: usize, high: usize, random: &mut RandomStream) -> usize {
    low + random.below(high.saturating_sub(low) + 1)
}

/// Center and width of a Gaussian.
fn draw_gaussian(shape: [usize; 3], location: Interval, random: &mut RandomStream) -> SpatialGaussian {
    SpatialGaussian::new(shape, |len| {
        let widest = (len as f64).ln();
        let narrowest = ((len / 6).max(1) as f64).ln();
        (draw(location, random) * len as f64, random.uniform(narrowest, widest).exp())
    })
}

fn shape_of(channel: &ArrayViewMut3<'_, f32>) -> [usize; 3] {
    [channel.shape()[0], channel.shape()[1], channel.shape()[2]]
}

/// Adds a wide Gaussian to the intensities. Source: `BrightnessGradientAdditiveTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BrightnessGradient {
    /// Probability per sample.
    pub p_gradient: f64,
    /// Probability per channel of a selected sample.
    pub p_gradient_per_channel: f64,
    /// Center of the Gaussian, as a fraction of each axis.
    pub gradient_location: Interval,
    /// Maximum; positive or negative with equal probability.
    pub gradient_strength: Interval,
}

impl Default for BrightnessGradient {
    fn default() -> Self {
        Self {
            p_gradient: 0.3,
            p_gradient_per_channel: 0.5,
            gradient_location: [-0.5, 1.5],
            gradient_strength: [1.0, 5.0],
        }
    }
}

impl BrightnessGradient {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_gradient) {
            channels(&mut sample.data, self.p_gradient_per_channel, random, |mut channel, random| {
                let gaussian = draw_gaussian(shape_of(&channel), self.gradient_location, random);
                let sign = if random.chance(0.5) { -1.0 } else { 1.0 };
                let strength = (sign * draw(self.gradient_strength, random)) as f32;
                gaussian.for_each(&mut channel, |value, share| *value += strength * share);
            });
        }
    }
}

/// Gamma correction whose strength decreases with the distance from a point. Source: `LocalGammaTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocalGamma {
    /// Probability per sample.
    pub p_local_gamma: f64,
    /// Probability per channel of a selected sample.
    pub p_local_gamma_per_channel: f64,
    /// Point of the strongest correction, as a fraction of each axis.
    pub local_gamma_location: Interval,
    /// Range of exponents below 1, drawn with probability 0.5.
    pub local_gamma_low: Interval,
    /// Range of exponents above 1, drawn otherwise.
    pub local_gamma_high: Interval,
}

impl Default for LocalGamma {
    fn default() -> Self {
        Self {
            p_local_gamma: 0.3,
            p_local_gamma_per_channel: 0.5,
            local_gamma_location: [-0.5, 1.5],
            local_gamma_low: [0.01, 0.8],
            local_gamma_high: [1.5, 4.0],
        }
    }
}

impl LocalGamma {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_local_gamma) {
            channels(&mut sample.data, self.p_local_gamma_per_channel, random, |channel, random| {
                let gaussian = draw_gaussian(shape_of(&channel), self.local_gamma_location, random);
                let range = if random.chance(0.5) { self.local_gamma_low } else { self.local_gamma_high };
                local_gamma(channel, &gaussian, draw(range, random));
            });
        }
    }
}

/// Blends a channel with its gamma correction, weighted by a Gaussian.
pub fn local_gamma(mut channel: ArrayViewMut3<'_, f32>, gaussian: &SpatialGaussian, exponent: f64) {
    let (low, high) = stats::summary(channel.view()).range();
    let extent = (high - low).max(1e-8);
    let exponent = exponent as f32;
    gaussian.for_each(&mut channel, |value, share| {
        let unit = (*value - low) / extent;
        *value = (unit * (1.0 - share) + unit.powf(exponent) * share) * (high - low) + low;
    });
}

/// Sharpens channels. Source: `SharpeningTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sharpening {
    /// Probability per sample.
    pub p_sharpening: f64,
    /// Probability per channel of a selected sample.
    pub p_sharpening_per_channel: f64,
    /// Weight of the Laplacian.
    pub sharpening_strength: Interval,
}

impl Default for Sharpening {
    fn default() -> Self {
        Self { p_sharpening: 0.2, p_sharpening_per_channel: 0.5, sharpening_strength: [0.1, 1.0] }
    }
}

impl Sharpening {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_sharpening) {
            channels(&mut sample.data, self.p_sharpening_per_channel, random, |channel, random| {
                sharpen(channel, draw(self.sharpening_strength, random));
            });
        }
    }
}

/// Adds `strength` times the discrete Laplacian (zero beyond the border) and clips to the original range.
pub fn sharpen(mut channel: ArrayViewMut3<'_, f32>, strength: f64) {
    let (low, high) = stats::summary(channel.view()).range();
    let strength = strength as f32;
    let shape = shape_of(&channel);
    let axes: Vec<usize> = (0..3).filter(|axis| shape[*axis] > 1).collect();
    let mut around = Array3::<f32>::zeros(shape);
    for axis in &axes {
        let axis = ndarray::Axis(*axis);
        let (front, back) = (ndarray::Slice::from(..-1), ndarray::Slice::from(1..));
        let mut before = around.slice_axis_mut(axis, back);
        before += &channel.slice_axis(axis, front);
        let mut after = around.slice_axis_mut(axis, front);
        after += &channel.slice_axis(axis, back);
    }
    let center = 1.0 + strength * 2.0 * axes.len() as f32;
    Zip::from(&mut channel).and(&around).for_each(|value, around| {
        *value = (center * *value - strength * around).clamp(low, high);
    });
}
