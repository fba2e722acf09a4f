//! Brightness, contrast and gamma: voxel-wise intensity transforms.

use ndarray::ArrayViewMut3;
use nnunet_numerics::{power_in_place, stats};
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, channels, draw};

/// Added to the denominator for numerical stability on constant channels.
const RANGE_EPSILON: f32 = 1e-7;

/// Multiplies each channel by a random factor. Source: `BrightnessMultiplicativeTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Brightness {
    /// Probability per sample.
    pub p_brightness: f64,
    /// Factor.
    pub brightness_range: Interval,
}

impl Default for Brightness {
    fn default() -> Self {
        Self { p_brightness: 0.15, brightness_range: [0.75, 1.25] }
    }
}

impl Brightness {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_brightness) {
            channels(&mut sample.data, 1.0, random, |channel, random| {
                brightness(channel, draw(self.brightness_range, random));
            });
        }
    }
}

/// Multiplies intensities.
pub fn brightness(mut channel: ArrayViewMut3<'_, f32>, factor: f64) {
    channel.mapv_inplace(|value| value * factor as f32);
}

/// Adds a normally distributed offset to channels. Source: `BrightnessTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdditiveBrightness {
    /// Probability per sample.
    pub additive_brightness_p_per_sample: f64,
    /// Probability per channel of a selected sample.
    pub additive_brightness_p_per_channel: f64,
    /// Mean.
    pub additive_brightness_mu: f64,
    /// Standard deviation.
    pub additive_brightness_sigma: f64,
}

impl Default for AdditiveBrightness {
    fn default() -> Self {
        Self {
            additive_brightness_p_per_sample: 0.15,
            additive_brightness_p_per_channel: 0.5,
            additive_brightness_mu: 0.0,
            additive_brightness_sigma: 0.1,
        }
    }
}

impl AdditiveBrightness {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.additive_brightness_p_per_sample) {
            channels(
                &mut sample.data,
                self.additive_brightness_p_per_channel,
                random,
                |mut channel, random| {
                    let added =
                        self.additive_brightness_mu + self.additive_brightness_sigma * random.normal();
                    channel.mapv_inplace(|value| value + added as f32);
                },
            );
        }
    }
}

/// Changes the contrast: scales the intensities of channels about their mean. Source: `ContrastAugmentationTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contrast {
    /// Probability per sample.
    pub p_contrast: f64,
    /// Probability per channel of a selected sample.
    pub p_contrast_per_channel: f64,
    /// Range of the factor; below and above 1 are drawn with equal probability.
    pub contrast_range: Interval,
    /// Clip to the original range of the channel.
    pub contrast_preserve_range: bool,
}

impl Default for Contrast {
    fn default() -> Self {
        Self {
            p_contrast: 0.15,
            p_contrast_per_channel: 1.0,
            contrast_range: [0.75, 1.25],
            contrast_preserve_range: true,
        }
    }
}

impl Contrast {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_contrast) {
            let [low, high] = self.contrast_range;
            channels(&mut sample.data, self.p_contrast_per_channel, random, |channel, random| {
                contrast(channel, random.around_one(low, high), self.contrast_preserve_range);
            });
        }
    }
}

/// Scales intensities about the mean; `preserve_range` clips them to the original range.
pub fn contrast(mut channel: ArrayViewMut3<'_, f32>, factor: f64, preserve_range: bool) {
    let summary = stats::summary(channel.view());
    let (low, high) = if preserve_range { summary.range() } else { (f32::NEG_INFINITY, f32::INFINITY) };
    let (mean, factor) = (summary.mean as f32, factor as f32);
    channel.mapv_inplace(|value| ((value - mean) * factor + mean).clamp(low, high));
}

/// Gamma correction of every channel. Source: `GammaTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gamma {
    /// Probability per sample.
    pub p_gamma: f64,
    /// Range of the exponent; below and above 1 are drawn with equal probability.
    pub gamma_range: Interval,
    /// Restore mean and standard deviation.
    pub gamma_retain_stats: bool,
}

impl Default for Gamma {
    fn default() -> Self {
        Self { p_gamma: 0.3, gamma_range: [0.7, 1.5], gamma_retain_stats: true }
    }
}

impl Gamma {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_gamma) {
            correct(sample, self.gamma_range, false, self.gamma_retain_stats, random);
        }
    }
}

/// Gamma correction of the negative of every channel. Source: `GammaTransform(invert_image=True)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvertedGamma {
    /// Probability per sample.
    pub p_gamma_inverted: f64,
    /// Range of the exponent; below and above 1 are drawn with equal probability.
    pub gamma_range: Interval,
    /// Restore mean and standard deviation.
    pub gamma_retain_stats: bool,
}

impl Default for InvertedGamma {
    fn default() -> Self {
        Self { p_gamma_inverted: 0.1, gamma_range: [0.7, 1.5], gamma_retain_stats: true }
    }
}

impl InvertedGamma {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_gamma_inverted) {
            correct(sample, self.gamma_range, true, self.gamma_retain_stats, random);
        }
    }
}

fn correct(
    sample: &mut Sample,
    [low, high]: Interval,
    inverted: bool,
    retain: bool,
    random: &mut RandomStream,
) {
    channels(&mut sample.data, 1.0, random, |channel, random| {
        gamma(channel, random.around_one(low, high), inverted, retain);
    });
}

/// Gamma correction over the channel's range, on the negative when `inverted`; `retain_stats` restores mean and
/// standard deviation.
pub fn gamma(mut channel: ArrayViewMut3<'_, f32>, exponent: f64, inverted: bool, retain_stats: bool) {
    let sign = if inverted { -1.0 } else { 1.0 };
    let before = stats::summary(channel.view());
    let (mean, (low, high)) =
        if inverted { (-before.mean, (-before.high, -before.low)) } else { (before.mean, before.range()) };
    let extent = high - low + RANGE_EPSILON;
    channel.mapv_inplace(|value| (sign * value - low) / extent);
    power_in_place(channel.view_mut(), exponent as f32);
    let after = stats::summary(channel.view());
    // The corrected intensity is c * extent + low; mean and deviation follow from those of c.
    let (scale, offset) = if retain_stats {
        let deviation = after.deviation * f64::from(extent);
        let stretch = before.deviation / (deviation + 1e-8);
        (stretch * f64::from(extent), mean - after.mean * f64::from(extent) * stretch)
    } else {
        (f64::from(extent), f64::from(low))
    };
    let (scale, offset) = (sign * scale as f32, sign * offset as f32);
    channel.mapv_inplace(|value| value * scale + offset);
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;

    /// Frequency and exponents of ten thousand draws: without `retain_stats` the exponent can be read off a ramp.
    #[test]
    fn gamma_has_the_share_and_range_of_v1() {
        const DRAWS: usize = 10_000;
        let gamma = Gamma { gamma_retain_stats: false, ..Gamma::default() };
        let mut random = RandomStream::from_seed(5);
        let exponents: Vec<f32> = (0..DRAWS)
            .filter_map(|_| {
                let data = Array4::from_shape_fn((1, 1, 1, 3), |(.., x)| x as f32 / 2.0);
                let mut sample = Sample { data, seg: Array4::zeros((1, 1, 1, 3)) };
                gamma.apply(&mut sample, &AugmentationContext::default(), &mut random);
                let middle = sample.data[[0, 0, 0, 1]];
                (middle != 0.5).then(|| middle.log(0.5))
            })
            .collect();
        let share = exponents.len() as f64 / DRAWS as f64;
        assert!((share - 0.3).abs() < 0.02, "{share}");
        assert!(exponents.iter().all(|exponent| (0.699..1.501).contains(exponent)));
        let below: Vec<&f32> = exponents.iter().filter(|exponent| **exponent < 1.0).collect();
        assert!((below.len() as f64 / exponents.len() as f64 - 0.5).abs() < 0.03);
        let mean = below.iter().map(|exponent| f64::from(**exponent)).sum::<f64>() / below.len() as f64;
        assert!((mean - 0.85).abs() < 0.01, "{mean}");
    }
}
