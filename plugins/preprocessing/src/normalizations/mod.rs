//! Normalization schemes by name: v1's and v2's.

mod v1;
mod v2;

use ndarray::{ArrayViewMut3, Zip};
use nnunet_plugin_core::vocabulary::IntensityStatistics;
use nnunet_plugin_core::{Component, Error, Info, Kind, Normalization, NormalizationContext, Result};

/// Changes the intensities of a channel in place.
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

/// Leaves intensities as they are.
fn unchanged(_channel: &mut ArrayViewMut3<'_, f32>, _context: &NormalizationContext<'_>) -> Result<()> {
    Ok(())
}

/// Divides by 255.
fn divide_by_255(channel: &mut ArrayViewMut3<'_, f32>) {
    channel.mapv_inplace(|value| value / 255.0);
}

/// The foreground intensities of the data set.
fn intensities(context: &NormalizationContext<'_>) -> Result<IntensityStatistics> {
    context.intensities.ok_or_else(|| {
        Error::message(format!(
            "normalization of CT needs the data set's foreground intensities; the plans have none for channel {}",
            context.channel
        ))
    })
}

/// The 0.5th and 99.5th percentile of the foreground intensities.
fn clip_range(found: &IntensityStatistics) -> (f32, f32) {
    (found.percentile_00_5 as f32, found.percentile_99_5 as f32)
}

/// As `numpy.clip`: NaN stays NaN, and bounds in the wrong order do not panic.
fn clipped(value: f32, low: f32, high: f32) -> f32 {
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}

/// The values inside the nonzero mask where the context asks for it, otherwise all.
fn values(channel: &ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Vec<f32> {
    let inside = |label: &f32| !context.use_mask || *label >= 0.0;
    channel.iter().zip(context.seg).filter(|(_, label)| inside(label)).map(|(value, _)| *value).collect()
}

/// Sets values outside of the nonzero mask to 0 where the context asks for it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_is_numpys() {
        assert_eq!([-1.0, 0.5, 2.0].map(|value| clipped(value, 0.0, 1.0)), [0.0, 0.5, 1.0]);
        assert!(clipped(f32::NAN, 0.0, 1.0).is_nan());
        assert_eq!(clipped(5.0, f32::NAN, f32::NAN), 5.0);
    }
}
