//! v2's normalization schemes (`default_normalization_schemes`), under the class names that its plans hold. v2
//! normalizes before it resamples.

use ndarray::{ArrayViewMut3, Zip};
use nnunet_numerics::stats::mean_std;
use nnunet_plugin_core::{Error, NormalizationContext, Registration, Result, inventory};

use super::{clip_range, clipped, component, divide_by_255, intensities, unchanged, values};

/// The smallest divisor, for images of one value.
const EPSILON: f32 = 1e-8;

inventory::submit!(Registration(|| {
    component(
        "ZScoreNormalization",
        "v2: the case's own mean and standard deviation; with a mask the outside stays as it is.",
        z_score,
    )
}));
inventory::submit!(Registration(|| {
    component(
        "CTNormalization",
        "v2: clips to the data set's percentiles; its mean and standard deviation.",
        ct,
    )
}));
inventory::submit!(Registration(|| {
    component("NoNormalization", "v2: leaves intensities as they are.", unchanged)
}));
inventory::submit!(Registration(|| {
    component("RescaleTo01Normalization", "v2: the case's smallest value becomes 0, its largest 1.", rescale)
}));
inventory::submit!(Registration(|| {
    component("RGBTo01Normalization", "v2: divides values from 0 to 255 by 255.", rgb)
}));

fn z_score(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let (mean, std) = mean_std(&values(channel, context));
    let (mean, std) = (mean as f32, (std as f32).max(EPSILON));
    Zip::from(channel).and(context.seg).for_each(|value, label| {
        if !context.use_mask || *label >= 0.0 {
            *value = (*value - mean) / std;
        }
    });
    Ok(())
}

fn ct(channel: &mut ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()> {
    let found = intensities(context)?;
    let (low, high) = clip_range(&found);
    let (mean, std) = (found.mean, found.sd.max(EPSILON));
    channel.mapv_inplace(|value| (clipped(value, low, high) - mean) / std);
    Ok(())
}

fn rescale(channel: &mut ArrayViewMut3<'_, f32>, _context: &NormalizationContext<'_>) -> Result<()> {
    let (low, high) = range(channel);
    let width = (high - low).max(EPSILON);
    channel.mapv_inplace(|value| (value - low) / width);
    Ok(())
}

fn rgb(channel: &mut ArrayViewMut3<'_, f32>, _context: &NormalizationContext<'_>) -> Result<()> {
    let (low, high) = range(channel);
    if low < 0.0 || high > 255.0 {
        return Err(Error::message(format!(
            "RGBTo01Normalization is for values from 0 to 255; these are from {low} to {high}"
        )));
    }
    divide_by_255(channel);
    Ok(())
}

fn range(channel: &ArrayViewMut3<'_, f32>) -> (f32, f32) {
    channel
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};
    use nnunet_plugin_core::vocabulary::IntensityStatistics;

    use super::*;
    use crate::normalizations::Scheme;

    fn applied(scheme: Scheme, use_mask: bool) -> Result<Vec<f32>> {
        let mut channel: Array3<f32> = array![[[0.0, 10.0, 20.0, 30.0]]];
        let seg: Array3<f32> = array![[[-1.0, 0.0, 0.0, 0.0]]];
        let mut context = NormalizationContext::new(0, seg.view());
        context.use_mask = use_mask;
        context.intensities = Some(IntensityStatistics {
            mean: 20.0,
            sd: 0.0,
            percentile_00_5: 5.0,
            percentile_99_5: 25.0,
            ..IntensityStatistics::default()
        });
        scheme(&mut channel.view_mut(), &context)?;
        Ok(channel.into_raw_vec_and_offset().0)
    }

    /// Values by nnunetv2 2.8.1.
    #[test]
    fn schemes_are_v2s() {
        let z = applied(z_score, true).unwrap();
        assert_eq!((z[0], z[2]), (0.0, 0.0));
        assert!((z[3] - 1.224_744_8).abs() < 1e-6, "{z:?}");
        assert_eq!(applied(rescale, true).unwrap(), [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_eq!(applied(ct, false).unwrap(), [-1.5e9, -1e9, 0.0, 5e8]);
        assert_eq!(applied(unchanged, false).unwrap(), [0.0, 10.0, 20.0, 30.0]);
        assert!((applied(rgb, false).unwrap()[3] - 30.0 / 255.0).abs() < 1e-7);
    }

    #[test]
    fn values_that_are_not_of_a_picture_are_refused() {
        let mut channel: Array3<f32> = array![[[0.0, 300.0]]];
        let seg = Array3::zeros((1, 1, 2));
        let error = rgb(&mut channel.view_mut(), &NormalizationContext::new(0, seg.view())).unwrap_err();
        assert!(error.to_string().contains("from 0 to 300"), "{error}");
    }
}
