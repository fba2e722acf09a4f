//! Noise, blur and median filter.

use ndarray::ArrayViewMut3;
use nnunet_numerics::{Ends, gaussian_blur, median_filter};
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, channels, draw, per_channel};

/// Adds Gaussian noise with the same standard deviation to all channels. Source: `GaussianNoiseTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Probability per sample.
    pub p_noise: f64,
    /// Standard deviation (v1 calls it variance).
    pub noise_variance: Interval,
}

impl Default for Noise {
    fn default() -> Self {
        Self { p_noise: 0.1, noise_variance: [0.0, 0.1] }
    }
}

impl Noise {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_noise) {
            let deviation = draw(self.noise_variance, random);
            channels(&mut sample.data, 1.0, random, |channel, random| {
                gaussian_noise(channel, deviation, random)
            });
        }
    }
}

/// Adds Gaussian noise with a given standard deviation.
pub fn gaussian_noise(mut channel: ArrayViewMut3<'_, f32>, deviation: f64, random: &mut RandomStream) {
    let mut noise = SmallRng::seed_from_u64(random.bits());
    let deviation = deviation as f32;
    channel.mapv_inplace(|value| {
        let draw: f32 = StandardNormal.sample(&mut noise);
        value + deviation * draw
    });
}

/// Blurs channels with a Gaussian, each with its own sigma. Source: `GaussianBlurTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Blur {
    /// Probability per sample.
    pub p_blur: f64,
    /// Probability per channel of a selected sample.
    pub p_blur_per_channel: f64,
    /// Sigma, voxels.
    pub blur_sigma: Interval,
}

impl Default for Blur {
    fn default() -> Self {
        Self { p_blur: 0.2, p_blur_per_channel: 0.5, blur_sigma: [0.5, 1.0] }
    }
}

impl Blur {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_blur) {
            channels(&mut sample.data, self.p_blur_per_channel, random, |channel, random| {
                blur(channel, draw(self.blur_sigma, random));
            });
        }
    }
}

/// Gaussian blur with a sigma in voxels; 2D patches are blurred in their plane.
pub fn blur(channel: ArrayViewMut3<'_, f32>, sigma: f64) {
    let first = if channel.shape()[0] > 1 { sigma } else { 0.0 };
    gaussian_blur(channel, [first, sigma, sigma], Ends::Reflect);
}

/// Replaces voxels by the median of their neighborhood. Source: `MedianFilterTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Median {
    /// Probability per sample.
    pub p_median: f64,
    /// Probability per channel of a selected sample.
    pub p_median_per_channel: f64,
    /// Edge of the window in voxels; the upper bound is excluded.
    pub median_size: [usize; 2],
}

impl Default for Median {
    fn default() -> Self {
        Self { p_median: 0.2, p_median_per_channel: 0.5, median_size: [2, 8] }
    }
}

impl Median {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let sizes = self.draw(sample.data.shape()[0], random);
        for (mut channel, size) in sample.data.outer_iter_mut().zip(sizes) {
            if let Some(size) = size {
                let first = if channel.shape()[0] > 1 { size } else { 1 };
                let filtered = median_filter(channel.view(), [first, size, size]);
                channel.assign(&filtered);
            }
        }
    }

    /// The edge of the window of each channel that is changed.
    pub(crate) fn draw(&self, channels: usize, random: &mut RandomStream) -> Vec<Option<usize>> {
        let p = if random.chance(self.p_median) { self.p_median_per_channel } else { return Vec::new() };
        let [low, high] = self.median_size;
        per_channel(channels, p, random, |random| low + random.below(high.saturating_sub(low)))
    }
}
