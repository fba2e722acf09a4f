//! Intensity normalisation, channel by channel.

use ndarray::{ArrayView3, ArrayViewMut3, Zip};
use nnunet_numerics::stats::mean_std;
use nnunet_plugin_api::vocabulary::IntensityStatistics;
use nnunet_plugin_api::{Error, Normalization, Result};

/// Guards the quotient of an image of one value; v1 has it for images that are not CT only.
const EPSILON: f32 = 1e-8;

/// How to normalise one channel.
#[derive(Debug, Clone, Copy)]
pub struct Normalizer {
    /// The scheme.
    pub scheme: Normalization,
    /// Inside the nonzero mask (seg >= 0) only.
    pub use_mask: bool,
    /// Foreground intensities of the data set, for CT.
    pub intensities: Option<IntensityStatistics>,
}

/// Normalises one channel in place. `seg` marks the outside with -1.
///
/// # Errors
/// A CT scheme without the data set's intensities.
pub fn normalize(mut data: ArrayViewMut3<'_, f32>, seg: ArrayView3<'_, f32>, how: &Normalizer) -> Result<()> {
    match how.scheme {
        Normalization::NoNorm => {}
        Normalization::ScaleUint8 => data.mapv_inplace(|value| value / 255.0),
        Normalization::NonCt => standardize(&mut data, seg, how.use_mask),
        Normalization::Ct => {
            let found = known(how)?;
            let (low, high) = clip_range(&found);
            data.mapv_inplace(|value| (value.clamp(low, high) - found.mean) / found.sd);
            if how.use_mask {
                clear_outside(&mut data, seg);
            }
        }
        Normalization::Ct2 => {
            let (low, high) = clip_range(&known(how)?);
            let within: Vec<f32> =
                data.iter().copied().filter(|value| *value > low && *value < high).collect();
            let (mean, std) = mean_std(&within);
            data.mapv_inplace(|value| (value.clamp(low, high) - mean as f32) / std as f32);
            if how.use_mask {
                clear_outside(&mut data, seg);
            }
        }
    }
    Ok(())
}

fn known(how: &Normalizer) -> Result<IntensityStatistics> {
    how.intensities.ok_or_else(|| {
        Error::message("CT normalisation needs the data set's intensities, which the plans lack")
    })
}

fn clip_range(found: &IntensityStatistics) -> (f32, f32) {
    (found.percentile_00_5 as f32, found.percentile_99_5 as f32)
}

fn standardize(data: &mut ArrayViewMut3<'_, f32>, seg: ArrayView3<'_, f32>, use_mask: bool) {
    let values: Vec<f32> = if use_mask {
        data.iter().zip(&seg).filter(|(_, label)| **label >= 0.0).map(|(value, _)| *value).collect()
    } else {
        data.iter().copied().collect()
    };
    let (mean, std) = mean_std(&values);
    let (mean, std) = (mean as f32, std as f32 + EPSILON);
    data.mapv_inplace(|value| (value - mean) / std);
    if use_mask {
        clear_outside(data, seg);
    }
}

fn clear_outside(data: &mut ArrayViewMut3<'_, f32>, seg: ArrayView3<'_, f32>) {
    Zip::from(data).and(seg).for_each(|value, label| {
        if *label < 0.0 {
            *value = 0.0;
        }
    });
}
