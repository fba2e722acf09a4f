//! The transforms in v1's order, with their parameters drawn.

use ndarray::{Array4, ArrayViewMut3, Axis};

use crate::intensity::{blur, brightness, contrast, gamma, gaussian_noise};
use crate::lowres::simulate_low_resolution;
use crate::params::{AugmentationParams, Interval};
use crate::random::Stream;
use crate::spatial::{centre_crop, mirror, spatial};

/// An image with its labels.
#[derive(Debug, Clone)]
pub struct Sample {
    /// (channels, z, y, x).
    pub data: Array4<f32>,
    /// (channels, z, y, x); -1 outside the nonzero mask.
    pub seg: Array4<f32>,
}

/// Augments a sample of the generator's patch to one of size `patch` (z, y, x). `use_mask` names the channels that are
/// cleared outside the nonzero mask. Labels below 0 become 0 at the end.
#[must_use]
pub fn augment(
    sample: Sample,
    patch: [usize; 3],
    params: &AugmentationParams,
    use_mask: &[bool],
    random: &mut Stream,
) -> Sample {
    let mut sample = place_in_space(sample, patch, params, random);
    if params.enabled {
        change_intensities(&mut sample.data, params, random);
    }
    // A slice's first axis is not there for the user: axis 0 of a 2D patch is y.
    let first = usize::from(patch[0] == 1 && params.mirror_axes.len() < 3);
    let axes: Vec<usize> =
        params.mirror_axes.iter().map(|axis| axis + first).filter(|_| random.chance(0.5)).collect();
    mirror(&mut sample.data, &axes);
    mirror(&mut sample.seg, &axes);
    for (channel, _) in use_mask.iter().enumerate().filter(|(_, masked)| **masked) {
        let labels = sample.seg.index_axis(Axis(0), 0);
        ndarray::Zip::from(sample.data.index_axis_mut(Axis(0), channel)).and(labels).for_each(
            |value, label| {
                if *label < 0.0 {
                    *value = 0.0;
                }
            },
        );
    }
    sample.seg.mapv_inplace(|label| label.max(0.0));
    sample
}

fn place_in_space(
    sample: Sample,
    patch: [usize; 3],
    params: &AugmentationParams,
    random: &mut Stream,
) -> Sample {
    let (rotate, scale) =
        (params.enabled && random.chance(params.p_rot), params.enabled && random.chance(params.p_scale));
    let angles = if rotate { params.rotation.map(|most| random.uniform(-most, most)) } else { [0.0; 3] };
    let [low, high] = params.scale_range;
    let factor = if scale { random.around_one(low, high) } else { 1.0 };
    if !rotate && !scale {
        return Sample { data: centre_crop(&sample.data, patch), seg: centre_crop(&sample.seg, patch) };
    }
    if params.dummy_2d {
        return slice_by_slice(&sample, patch, angles, factor);
    }
    let (data, seg) = spatial(&sample.data, &sample.seg, patch, angles, factor);
    Sample { data, seg }
}

/// All slices share one transform within their plane.
fn slice_by_slice(sample: &Sample, patch: [usize; 3], angles: [f64; 3], factor: f64) -> Sample {
    let slices = |array: &Array4<f32>| {
        let range = |z: usize| array.slice_axis(Axis(1), (z..=z).into()).to_owned();
        (0..patch[0].min(array.shape()[1])).map(range).collect::<Vec<_>>()
    };
    let one = [1, patch[1], patch[2]];
    let (mut data, mut seg) = (Vec::new(), Vec::new());
    for (image, labels) in slices(&sample.data).iter().zip(&slices(&sample.seg)) {
        let (image, labels) = spatial(image, labels, one, angles, factor);
        data.push(image);
        seg.push(labels);
    }
    let stack = |parts: &[Array4<f32>]| {
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(1), &views).unwrap_or_default()
    };
    Sample { data: stack(&data), seg: stack(&seg) }
}

fn change_intensities(data: &mut Array4<f32>, p: &AugmentationParams, random: &mut Stream) {
    if random.chance(p.p_noise) {
        let deviation = draw(p.noise_variance, random);
        each(data, |channel| gaussian_noise(channel, deviation, random));
    }
    if random.chance(p.p_blur) {
        each(data, |channel| {
            if random.chance(p.p_blur_per_channel) {
                blur(channel, draw(p.blur_sigma, random));
            }
        });
    }
    if random.chance(p.p_brightness) {
        each(data, |channel| brightness(channel, draw(p.brightness_range, random)));
    }
    if random.chance(p.p_contrast) {
        each(data, |channel| contrast(channel, random.around_one(p.contrast_range[0], p.contrast_range[1])));
    }
    if random.chance(p.p_lowres) {
        each(data, |channel| {
            if random.chance(p.p_lowres_per_channel) {
                simulate_low_resolution(channel, draw(p.lowres_zoom, random), p.dummy_2d);
            }
        });
    }
    for (probability, inverted) in [(p.p_gamma_inverted, true), (p.p_gamma, false)] {
        if random.chance(probability) {
            each(data, |channel| {
                gamma(channel, random.around_one(p.gamma_range[0], p.gamma_range[1]), inverted)
            });
        }
    }
}

fn draw([low, high]: Interval, random: &mut Stream) -> f64 {
    random.uniform(low, high)
}

fn each(data: &mut Array4<f32>, mut change: impl FnMut(ArrayViewMut3<'_, f32>)) {
    data.outer_iter_mut().for_each(&mut change);
}
