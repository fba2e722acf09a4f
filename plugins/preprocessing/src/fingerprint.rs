//! The fingerprint of a data set (v1 `DatasetAnalyzer`).

use ndarray::{ArrayView3, ArrayView4};
use nnunet_numerics::stats::{mean_std, percentile};
use nnunet_plugin_core::vocabulary::{Fingerprint, IntensityProperties, IntensityStatistics};

/// One of this many foreground voxels is used for the intensity statistics.
const VOXEL_STRIDE: usize = 10;

/// The contribution of one case.
#[derive(Debug, Clone)]
pub struct CaseSummary {
    /// Name.
    pub name: String,
    /// Size after cropping, (z, y, x).
    pub size: [usize; 3],
    /// Spacing, (z, y, x).
    pub spacing: [f64; 3],
    /// Ratio of the number of voxels after and before cropping.
    pub size_reduction: f64,
    /// Foreground intensities by channel; needed for CT only.
    pub intensities: Option<Vec<Vec<f32>>>,
}

/// Every tenth foreground voxel of every channel, in C order.
#[must_use]
pub fn foreground_intensities(data: ArrayView4<'_, f32>, seg: ArrayView3<'_, f32>) -> Vec<Vec<f32>> {
    let of_channel = |channel: ArrayView3<'_, f32>| {
        let voxels =
            channel.into_iter().zip(&seg).filter(|(_, label)| **label > 0.0).map(|(value, _)| *value);
        voxels.step_by(VOXEL_STRIDE).collect()
    };
    data.outer_iter().map(of_channel).collect()
}

/// The seven intensity statistics of a set of voxels.
#[must_use]
pub fn intensity_statistics(mut values: Vec<f32>) -> IntensityStatistics {
    if values.is_empty() {
        let nan = f32::NAN;
        let (percentile_99_5, percentile_00_5) = (f64::NAN, f64::NAN);
        return IntensityStatistics {
            median: nan,
            mean: nan,
            sd: nan,
            mn: nan,
            mx: nan,
            percentile_99_5,
            percentile_00_5,
        };
    }
    let (mean, sd) = mean_std(&values);
    let (mn, mx) =
        values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    IntensityStatistics {
        median: percentile(&mut values, 50.0) as f32,
        mean: mean as f32,
        sd: sd as f32,
        mn,
        mx,
        percentile_99_5: percentile(&mut values, 99.5),
        percentile_00_5: percentile(&mut values, 0.5),
    }
}

/// The fingerprint of cases, in their order. It has intensity statistics if every case has intensities.
#[must_use]
pub fn assemble(cases: Vec<CaseSummary>, modalities: Vec<String>, all_classes: Vec<i64>) -> Fingerprint {
    let intensity_properties = cases
        .iter()
        .all(|case| case.intensities.is_some())
        .then(|| (0..modalities.len()).map(|channel| channel_properties(&cases, channel)).collect());
    Fingerprint {
        all_sizes: cases.iter().map(|case| case.size).collect(),
        all_spacings: cases.iter().map(|case| case.spacing).collect(),
        all_classes,
        modalities,
        intensity_properties,
        size_reductions: cases.into_iter().map(|case| (case.name, case.size_reduction)).collect(),
    }
}

fn channel_properties(cases: &[CaseSummary], channel: usize) -> IntensityProperties {
    let voxels =
        |case: &CaseSummary| case.intensities.as_ref().map(|all| all[channel].clone()).unwrap_or_default();
    IntensityProperties {
        local: cases.iter().map(|case| (case.name.clone(), intensity_statistics(voxels(case)))).collect(),
        global: intensity_statistics(cases.iter().flat_map(voxels).collect()),
    }
}
