//! v1's normalisation schemes by name.

use ndarray::{ArrayView3, ArrayViewMut3, Zip};
use nnunet_numerics::stats::mean_std;
use nnunet_plugin_core::vocabulary::IntensityStatistics;
use nnunet_plugin_core::{
    Component, Error, Info, Kind, Normalization, NormalizationContext, Registration, Result, inventory,
};

/// Guards the quotient of an image of one value; v1 has it for images that are not CT only.
const EPSILON: f32 = 1e-8;

/// How a scheme changes a channel.
type Scheme = fn(&mut ArrayViewMut3<'_, f32>, &NormalizationContext<'_>) -> Result<()>;

struct FromScheme(Scheme);

impl Normalization for FromScheme {
    fn normalize(
        &self,
        mut channel: ArrayViewMut3<'_, f32>,
        context: &NormalizationContext<'_>,
    ) -> Result<()> {
        (self.0)(&mut channel, context)
    }
}

fn component(name: &'static str, summary: &'static str, scheme: Scheme) -> Component {
    let info = Info::new(Kind::Normalization, name, summary);
    Component::normalization(info, move |_| Ok(Box::new(FromScheme(scheme))))
}

inventory::submit!(Registration(|| {
    component("CT", "Clips to the data set's percentiles; its mean and standard deviation.", ct)
}));
inventory::submit!(Registration(|| {
    component(
        "CT2",
        "Clips to the data set's percentiles; the case's own mean and deviation within them.",
        ct2,
    )
}));
inventory::submit!(Registration(|| {
    component("nonCT", "The case's own mean and standard deviation.", standardize)
}));
inventory::submit!(Registration(|| component("noNorm", "Leaves intensities as they are.", |_, _| Ok(()))));
inventory::submit!(Registration(|| {
    component("scale_uint8_to_0_1", "Divides by 255.", |channel, _| {
        channel.mapv_inplace(|value| value / 255.0);
        Ok(())
    })
}));

fn ct(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let found = known(context)?;
    let (low, high) = clip_range(&found);
    channel.mapv_inplace(|value| (value.clamp(low, high) - found.mean) / found.sd);
    clear_outside(channel, context);
    Ok(())
}

fn ct2(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let (low, high) = clip_range(&known(context)?);
    let within: Vec<f32> = channel.iter().copied().filter(|value| *value > low && *value < high).collect();
    let (mean, std) = mean_std(&within);
    channel.mapv_inplace(|value| (value.clamp(low, high) - mean as f32) / std as f32);
    clear_outside(channel, context);
    Ok(())
}

fn standardize(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let inside = |label: &f32| !context.use_mask || *label >= 0.0;
    let seg: ArrayView3<'_, f32> = context.seg;
    let values: Vec<f32> =
        channel.iter().zip(seg).filter(|(_, label)| inside(label)).map(|(value, _)| *value).collect();
    let (mean, std) = mean_std(&values);
    let (mean, std) = (mean as f32, std as f32 + EPSILON);
    channel.mapv_inplace(|value| (value - mean) / std);
    clear_outside(channel, context);
    Ok(())
}

fn known(context: &NormalizationContext<'_>) -> Result<IntensityStatistics> {
    context.intensities.ok_or_else(|| {
        Error::message("CT normalisation needs the data set's intensities, which the plans lack")
    })
}

fn clip_range(found: &IntensityStatistics) -> (f32, f32) {
    (found.percentile_00_5 as f32, found.percentile_99_5 as f32)
}

fn clear_outside(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) {
    if !context.use_mask {
        return;
    }
    Zip::from(channel).and(context.seg).for_each(|value, label| {
        if *label < 0.0 {
            *value = 0.0;
        }
    });
}
