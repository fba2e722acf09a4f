//! A normalization: the channel's own 1st percentile becomes 0 and its 99th becomes 1.

use nnunet_plugin_api::ndarray::ArrayViewMut3;
use nnunet_plugin_api::{
    Component, Error, Info, Kind, Normalization, NormalizationContext, Registration, Result, inventory,
};

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Normalization, "Percentiles", "1st to 99th percentile of the channel to 0 to 1.")
            .describe("Values outside are clipped. Inside the nonzero mask only, where the plans say so.")
            .with_example(
                "[planners.Scaled]\nextends = \"ExperimentPlanner3D_v21\"\nnormalization = \"Percentiles\"",
            );
    Component::normalization(info, |_config| Ok(Box::new(Percentiles)))
}));

struct Percentiles;

impl Normalization for Percentiles {
    fn normalize(
        &self,
        mut channel: ArrayViewMut3<'_, f32>,
        context: &NormalizationContext<'_>,
    ) -> Result<()> {
        let inside = |label: f32| !context.use_mask || label >= 0.0;
        let seen = channel.iter().zip(context.seg).filter(|(_, label)| inside(**label));
        let mut sorted: Vec<f32> = seen.map(|(value, _)| *value).collect();
        sorted.sort_by(f32::total_cmp);
        let last = sorted.len().checked_sub(1).ok_or_else(|| Error::message("a channel without voxels"))?;
        let (low, high) = (sorted[last / 100], sorted[last - last / 100]);
        let range = (high - low).max(1e-8);
        channel.iter_mut().zip(context.seg).for_each(|(value, label)| {
            *value = if inside(*label) { (value.clamp(low, high) - low) / range } else { 0.0 };
        });
        Ok(())
    }
}
