//! Transforms of intensities, channel by channel.

use ndarray::ArrayViewMut3;
use nnunet_numerics::gaussian_blur;
use nnunet_numerics::stats::mean_std;

use crate::random::Stream;

/// Keeps gamma's quotient finite on constant channels.
const RANGE_EPSILON: f32 = 1e-7;

/// Adds normal noise of a standard deviation.
pub fn gaussian_noise(mut channel: ArrayViewMut3<'_, f32>, deviation: f64, random: &mut Stream) {
    channel.mapv_inplace(|value| value + (deviation * random.normal()) as f32);
}

/// Gaussian blur of a sigma in voxels; a slice is blurred in its plane.
pub fn blur(channel: ArrayViewMut3<'_, f32>, sigma: f64) {
    let first = if channel.shape()[0] > 1 { sigma } else { 0.0 };
    gaussian_blur(channel, [first, sigma, sigma]);
}

/// Multiplies intensities.
pub fn brightness(mut channel: ArrayViewMut3<'_, f32>, factor: f64) {
    channel.mapv_inplace(|value| value * factor as f32);
}

/// Stretches intensities about the mean; the old range is kept by clipping.
pub fn contrast(mut channel: ArrayViewMut3<'_, f32>, factor: f64) {
    let (mean, _) = statistics(&channel);
    let (low, high) = range(&channel);
    channel.mapv_inplace(|value| ((value - mean) * factor as f32 + mean).clamp(low, high));
}

/// Gamma correction over the channel's range, on the negative when `inverted`; mean and deviation are restored.
pub fn gamma(mut channel: ArrayViewMut3<'_, f32>, exponent: f64, inverted: bool) {
    let sign = if inverted { -1.0 } else { 1.0 };
    channel.mapv_inplace(|value| sign * value);
    let (mean, deviation) = statistics(&channel);
    let (low, high) = range(&channel);
    let extent = high - low;
    let exponent = exponent as f32;
    channel.mapv_inplace(|value| ((value - low) / (extent + RANGE_EPSILON)).powf(exponent) * extent + low);
    let (new_mean, new_deviation) = statistics(&channel);
    let stretch = deviation / (new_deviation + 1e-8);
    channel.mapv_inplace(|value| sign * ((value - new_mean) * stretch + mean));
}

fn statistics(channel: &ArrayViewMut3<'_, f32>) -> (f32, f32) {
    let values: Vec<f32> = channel.iter().copied().collect();
    let (mean, deviation) = mean_std(&values);
    (mean as f32, deviation as f32)
}

fn range(channel: &ArrayViewMut3<'_, f32>) -> (f32, f32) {
    channel
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}
