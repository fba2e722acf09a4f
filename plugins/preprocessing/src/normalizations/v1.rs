//! v1's normalization schemes (`GenericPreprocessor.resample_and_normalize`).

use ndarray::ArrayViewMut3;
use nnunet_numerics::stats::mean_std;
use nnunet_plugin_core::{NormalizationContext, Registration, Result, inventory};

use super::{clear_outside, clip_range, clipped, component, divide_by_255, intensities, unchanged, values};

/// Added to the standard deviation for numerical stability; v1 does so for images that are not CT only.
const EPSILON: f32 = 1e-8;

inventory::submit!(Registration(|| {
    component("CT", "Clips to the data set's percentiles; its mean and standard deviation.", ct)
}));
inventory::submit!(Registration(|| {
    component(
        "CT2",
        "Clips to the data set's percentiles, then normalizes with the mean and standard deviation of the case.",
        ct2,
    )
}));
inventory::submit!(Registration(|| {
    component("nonCT", "The case's own mean and standard deviation.", standardize)
}));
inventory::submit!(Registration(|| component("noNorm", "Leaves intensities as they are.", unchanged)));
inventory::submit!(Registration(|| {
    component("scale_uint8_to_0_1", "Divides by 255.", |channel, _| {
        divide_by_255(channel);
        Ok(())
    })
}));

fn ct(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let found = intensities(context)?;
    let (low, high) = clip_range(&found);
    channel.mapv_inplace(|value| (clipped(value, low, high) - found.mean) / found.sd);
    clear_outside(channel, context);
    Ok(())
}

fn ct2(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let (low, high) = clip_range(&intensities(context)?);
    let within: Vec<f32> = channel.iter().copied().filter(|value| *value > low && *value < high).collect();
    let (mean, std) = mean_std(&within);
    channel.mapv_inplace(|value| (clipped(value, low, high) - mean as f32) / std as f32);
    clear_outside(channel, context);
    Ok(())
}

fn standardize(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let (mean, std) = mean_std(&values(channel, context));
    let (mean, std) = (mean as f32, std as f32 + EPSILON);
    channel.mapv_inplace(|value| (value - mean) / std);
    clear_outside(channel, context);
    Ok(())
}
