//! v2's normalizations by class name.

use ndarray::{ArrayViewMut3, Zip};
use nnunet_numerics::stats::mean_std;
use nnunet_plugin_api::{
    Component, Error, Info, Kind, Normalization, NormalizationContext, Registration, Result, inventory,
};

/// Guards quotients of images of one value.
const EPSILON: f32 = 1e-8;

/// How a normalization changes a channel.
type Change = fn(ArrayViewMut3<'_, f32>, &NormalizationContext<'_>) -> Result<()>;

struct FromFunction(Change);

impl Normalization for FromFunction {
    fn normalize(&self, channel: ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
        (self.0)(channel, context)
    }
}

fn component(name: &'static str, summary: &'static str, change: Change) -> Component {
    let info = Info::new(Kind::Normalization, name, summary);
    Component::normalization(info, move |_| Ok(Box::new(FromFunction(change))))
}

inventory::submit!(Registration(|| {
    component("ZScoreNormalization", "v2: the case's own mean and standard deviation.", z_score)
}));
inventory::submit!(Registration(|| {
    component("CTNormalization", "v2: clips to the data set's percentiles; its mean and deviation.", ct)
}));
inventory::submit!(Registration(|| {
    component("NoNormalization", "v2: leaves intensities as they are.", |_, _| Ok(()))
}));
inventory::submit!(Registration(|| {
    component("RescaleTo01Normalization", "v2: the case's own minimum becomes 0, its maximum 1.", rescale)
}));
inventory::submit!(Registration(|| {
    component("RGBTo01Normalization", "v2: 8-bit intensities divided by 255.", rgb)
}));

/// With a mask only the inside changes; the outside keeps its intensities.
fn z_score(mut channel: ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let is_inside = |label: &f32| !context.use_mask || *label >= 0.0;
    let inside = channel.iter().zip(context.seg).filter(|(_, label)| is_inside(label));
    let (mean, std) = mean_std(&inside.map(|(value, _)| *value).collect::<Vec<f32>>());
    let (mean, std) = (mean as f32, (std as f32).max(EPSILON));
    Zip::from(&mut channel).and(context.seg).for_each(|value, label| {
        if is_inside(label) {
            *value = (*value - mean) / std;
        }
    });
    Ok(())
}

fn ct(mut channel: ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let found = context.intensities.ok_or_else(|| {
        Error::message(
            "CTNormalization needs the foreground intensities of the data set, which the plans lack",
        )
    })?;
    let (low, high) = (found.percentile_00_5 as f32, found.percentile_99_5 as f32);
    let std = found.sd.max(EPSILON);
    // Not `clamp`, which panics for bounds that are not in order.
    channel.mapv_inplace(|value| (value.max(low).min(high) - found.mean) / std);
    Ok(())
}

fn rescale(mut channel: ArrayViewMut3<'_, f32>, _context: &NormalizationContext<'_>) -> Result<()> {
    let (low, high) = range(&channel);
    let range = (high - low).max(EPSILON);
    channel.mapv_inplace(|value| (value - low) / range);
    Ok(())
}

fn rgb(mut channel: ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let (low, high) = range(&channel);
    if low < 0.0 || high > 255.0 {
        return Err(Error::message(format!(
            "channel {} has intensities from {low} to {high}; RGBTo01Normalization is for 8-bit images (0 to 255)",
            context.channel
        )));
    }
    channel.mapv_inplace(|value| value / 255.0);
    Ok(())
}

fn range(channel: &ArrayViewMut3<'_, f32>) -> (f32, f32) {
    let widen = |(low, high): (f32, f32), value: &f32| (low.min(*value), high.max(*value));
    channel.iter().fold((f32::INFINITY, f32::NEG_INFINITY), widen)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};
    use nnunet_plugin_api::vocabulary::IntensityStatistics;

    use super::*;

    fn applied(change: Change, values: Array3<f32>, context: &NormalizationContext<'_>) -> Array3<f32> {
        let mut values = values;
        change(values.view_mut(), context).unwrap();
        values
    }

    #[test]
    fn outside_the_mask_nothing_changes() {
        let seg = array![[[-1.0_f32, 0.0, 1.0]]];
        let mut context = NormalizationContext::new(0, seg.view());
        context.use_mask = true;
        assert_eq!(applied(z_score, array![[[7.0, 1.0, 3.0]]], &context), array![[[7.0, -1.0, 1.0]]]);
    }

    #[test]
    fn ct_is_clipped_to_the_data_set() {
        let seg = array![[[0.0_f32, 0.0, 0.0]]];
        let mut context = NormalizationContext::new(0, seg.view());
        assert!(ct(array![[[0.0_f32]]].view_mut(), &context).is_err());
        context.intensities = Some(IntensityStatistics {
            mean: 10.0,
            sd: 2.0,
            percentile_00_5: 6.0,
            percentile_99_5: 12.0,
            ..IntensityStatistics::default()
        });
        assert_eq!(applied(ct, array![[[0.0, 12.0, 99.0]]], &context), array![[[-2.0, 1.0, 1.0]]]);
    }

    #[test]
    fn images_that_are_not_8_bit_are_no_rgb() {
        let seg = array![[[0.0_f32, 0.0]]];
        let context = NormalizationContext::new(0, seg.view());
        assert!(rgb(array![[[0.0_f32, 256.0]]].view_mut(), &context).is_err());
        assert_eq!(applied(rgb, array![[[0.0, 255.0]]], &context), array![[[0.0, 1.0]]]);
        assert_eq!(applied(rescale, array![[[2.0, 4.0]]], &context), array![[[0.0, 1.0]]]);
    }
}
