//! Transforms of a part of the image: blank rectangles, brightness gradients, local gamma, sharpening.

use std::ops::Range;

use ndarray::{Array3, ArrayViewMut3, Axis, Slice, Zip, s};
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
    /// As v2: the largest number and edge are excluded, and boxes may touch the lower border.
    pub rectangles_half_open: bool,
}

impl Default for Rectangles {
    fn default() -> Self {
        Self {
            p_rectangles: 0.4,
            p_rectangles_per_channel: 0.5,
            rectangles_number: [1, 5],
            rectangles_divisors: [10, 3],
            rectangles_half_open: false,
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
            channels(&mut sample.data, self.p_rectangles_per_channel, random, |mut channel, random| {
                for space in self.draw(shape_of(&channel), random) {
                    blank(&mut channel, space);
                }
            });
        }
    }

    /// The boxes of a channel.
    pub(crate) fn draw(&self, shape: [usize; 3], random: &mut RandomStream) -> Vec<[Range<usize>; 3]> {
        let [fewest, most] = self.rectangles_number;
        let most = most.saturating_sub(usize::from(self.rectangles_half_open)).max(fewest);
        let number = between(fewest, most, random);
        (0..number).map(|_| self.draw_box(shape, random)).collect()
    }

    fn draw_box(&self, shape: [usize; 3], random: &mut RandomStream) -> [Range<usize>; 3] {
        let [short, long] = self.rectangles_divisors.map(|divisor| divisor.max(1));
        let excluded = usize::from(self.rectangles_half_open);
        shape.map(|len| {
            if len == 1 {
                return 0..1;
            }
            let edge = between((len / short).max(1), (len / long).saturating_sub(excluded).max(1), random);
            let from = between(1 - excluded, len - edge, random).min(len - edge);
            from..from + edge
        })
    }
}

/// Replaces a box (z, y, x) by its mean.
pub fn blank(channel: &mut ArrayViewMut3<'_, f32>, [z, y, x]: [Range<usize>; 3]) {
    let mut inside = channel.slice_mut(s![z, y, x]);
    let mean = inside.mean().unwrap_or(0.0);
    inside.fill(mean);
}

/// Uniform in low..=high.
fn between(low: usize, high: usize, random: &mut RandomStream) -> usize {
    low + random.below(high.saturating_sub(low) + 1)
}

/// Center and width of a Gaussian.
fn draw_gaussian(
    shape: [usize; 3],
    location: Interval,
    full: bool,
    random: &mut RandomStream,
) -> SpatialGaussian {
    let place = |len: usize| draw_place(len, location, random);
    if full { SpatialGaussian::normalized(shape, place) } else { SpatialGaussian::new(shape, place) }
}

/// Center and width along an axis, voxels.
pub(crate) fn draw_place(len: usize, location: Interval, random: &mut RandomStream) -> (f64, f64) {
    let widest = (len as f64).ln();
    let narrowest = ((len / 6).max(1) as f64).ln();
    (draw(location, random) * len as f64, random.uniform(narrowest, widest).exp())
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
    /// As v2: a Gaussian whose center lies far outside of the image has its full strength too.
    pub local_full_strength: bool,
}

impl Default for BrightnessGradient {
    fn default() -> Self {
        Self {
            p_gradient: 0.3,
            p_gradient_per_channel: 0.5,
            gradient_location: [-0.5, 1.5],
            gradient_strength: [1.0, 5.0],
            local_full_strength: false,
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
            channels(&mut sample.data, self.p_gradient_per_channel, random, |channel, random| {
                let gaussian = draw_gaussian(
                    shape_of(&channel),
                    self.gradient_location,
                    self.local_full_strength,
                    random,
                );
                let sign = if random.chance(0.5) { -1.0 } else { 1.0 };
                add_gradient(channel, &gaussian, sign * draw(self.gradient_strength, random));
            });
        }
    }
}

/// Adds a multiple of a Gaussian.
pub fn add_gradient(mut channel: ArrayViewMut3<'_, f32>, gaussian: &SpatialGaussian, strength: f64) {
    gaussian.for_each(&mut channel, |value, share| *value += strength as f32 * share);
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
    /// As v2: a Gaussian whose center lies far outside of the image has its full strength too.
    pub local_full_strength: bool,
}

impl Default for LocalGamma {
    fn default() -> Self {
        Self {
            p_local_gamma: 0.3,
            p_local_gamma_per_channel: 0.5,
            local_gamma_location: [-0.5, 1.5],
            local_gamma_low: [0.01, 0.8],
            local_gamma_high: [1.5, 4.0],
            local_full_strength: false,
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
                let gaussian = draw_gaussian(
                    shape_of(&channel),
                    self.local_gamma_location,
                    self.local_full_strength,
                    random,
                );
                local_gamma(channel, &gaussian, self.draw_exponent(random));
            });
        }
    }

    pub(crate) fn draw_exponent(&self, random: &mut RandomStream) -> f64 {
        let range = if random.chance(0.5) { self.local_gamma_low } else { self.local_gamma_high };
        draw(range, random)
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
    /// As v2: the image goes on beyond its border with the border's voxels, not with 0, and its range may grow.
    pub sharpening_extends: bool,
}

impl Default for Sharpening {
    fn default() -> Self {
        Self {
            p_sharpening: 0.2,
            p_sharpening_per_channel: 0.5,
            sharpening_strength: [0.1, 1.0],
            sharpening_extends: false,
        }
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
                let sharpen = if self.sharpening_extends { sharpen_extended } else { sharpen };
                sharpen(channel, draw(self.sharpening_strength, random));
            });
        }
    }
}

/// Adds `strength` times the discrete Laplacian (zero beyond the border) and clips to the original range.
pub fn sharpen(channel: ArrayViewMut3<'_, f32>, strength: f64) {
    let range = stats::summary(channel.view()).range();
    add_laplacian(channel, strength as f32, false, range);
}

/// Adds `strength` times the discrete Laplacian; beyond its border the image has the values of the border.
///
/// Source: batchgeneratorsv2 `SharpeningTransform`.
pub fn sharpen_extended(channel: ArrayViewMut3<'_, f32>, strength: f64) {
    add_laplacian(channel, strength as f32, true, (f32::NEG_INFINITY, f32::INFINITY));
}

fn add_laplacian(mut channel: ArrayViewMut3<'_, f32>, strength: f32, extends: bool, (low, high): (f32, f32)) {
    let shape = shape_of(&channel);
    let axes: Vec<usize> = (0..3).filter(|axis| shape[*axis] > 1).collect();
    let mut around = Array3::<f32>::zeros(shape);
    for axis in &axes {
        let axis = Axis(*axis);
        let mut add = |to: Slice, from: Slice| {
            let mut sums = around.slice_axis_mut(axis, to);
            sums += &channel.slice_axis(axis, from);
        };
        add(Slice::from(1..), Slice::from(..-1));
        add(Slice::from(..-1), Slice::from(1..));
        if extends {
            add(Slice::from(..1), Slice::from(..1));
            add(Slice::from(-1..), Slice::from(-1..));
        }
    }
    let center = 1.0 + strength * 2.0 * axes.len() as f32;
    Zip::from(&mut channel).and(&around).for_each(|value, around| {
        *value = (center * *value - strength * around).clamp(low, high);
    });
}
