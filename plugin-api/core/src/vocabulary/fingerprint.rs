//! The fingerprint of a data set (v1: `dataset_properties.pkl`).

use serde::{Deserialize, Deserializer, Serialize};

/// The fingerprint of a data set: sizes, spacings, modalities, classes and, for CT, intensities.
///
/// ```
/// use nnunet_plugin_api::vocabulary::Fingerprint;
///
/// let fingerprint = Fingerprint {
///     all_sizes: vec![[40, 320, 320], [60, 320, 320]],
///     all_spacings: vec![[3.0, 0.8, 0.8], [2.0, 0.8, 0.8]],
///     ..Fingerprint::default()
/// };
/// let cases = fingerprint.all_sizes.iter().zip(&fingerprint.all_spacings);
/// let heights: Vec<f64> = cases.map(|(size, spacing)| size[0] as f64 * spacing[0]).collect();
/// assert_eq!(heights, [120.0, 120.0], "mm");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Size of every case after cropping, (z, y, x) voxels, in the order of the sorted case names.
    pub all_sizes: Vec<[usize; 3]>,
    /// Spacing of every case, (z, y, x) mm, in the same order.
    pub all_spacings: Vec<[f64; 3]>,
    /// Foreground label values, in the order of `dataset.json`.
    pub all_classes: Vec<i64>,
    /// Name of every modality, by channel.
    pub modalities: Vec<String>,
    /// Foreground intensities by channel; only if a modality is CT.
    pub intensity_properties: Option<Vec<IntensityProperties>>,
    /// For every case, in the same order: its name, and the number of voxels after cropping divided by that before.
    pub size_reductions: Vec<(String, f64)>,
}

/// Foreground intensities of one channel over the data set and by case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IntensityProperties {
    /// Statistics over all cases.
    pub global: IntensityStatistics,
    /// Statistics of every case, in the same order.
    pub local: Vec<(String, IntensityStatistics)>,
}

/// v1's seven statistics of intensities. All are NaN for a case without foreground.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct IntensityStatistics {
    /// Median.
    #[serde(deserialize_with = "nan_when_null")]
    pub median: f32,
    /// Mean.
    #[serde(deserialize_with = "nan_when_null")]
    pub mean: f32,
    /// Population standard deviation.
    #[serde(deserialize_with = "nan_when_null")]
    pub sd: f32,
    /// Minimum.
    #[serde(deserialize_with = "nan_when_null")]
    pub mn: f32,
    /// Maximum.
    #[serde(deserialize_with = "nan_when_null")]
    pub mx: f32,
    /// 99.5th percentile, linear interpolation.
    #[serde(deserialize_with = "nan_when_null")]
    pub percentile_99_5: f64,
    /// 0.5th percentile, linear interpolation.
    #[serde(deserialize_with = "nan_when_null")]
    pub percentile_00_5: f64,
}

/// JSON has no NaN: it is written as `null` and read back here.
fn nan_when_null<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + From<f32>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_else(|| T::from(f32::NAN)))
}
