//! Preprocessors: from a cropped case to network input.

use ndarray::{Array3, Array4};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::vocabulary::IntensityStatistics;

/// Resamples and normalizes a cropped case. A preprocessor starts from the settings of its parent, changes some of them, and
/// has a hook that replaces the whole step.
///
/// ```
/// use nnunet_plugin_api::{Preprocessor, PreprocessorSettings, Result};
///
/// /// Linear instead of cubic interpolation of images.
/// struct Linear;
///
/// impl Preprocessor for Linear {
///     fn configure(&self, settings: &mut PreprocessorSettings) -> Result<()> {
///         settings.order_data = 1;
///         Ok(())
///     }
/// }
///
/// let mut settings = PreprocessorSettings::default();
/// assert_eq!(settings.order_data, 3);
/// Linear.configure(&mut settings).unwrap();
/// assert_eq!(settings.order_data, 1);
/// ```
///
/// Source: v1's `GenericPreprocessor` family.
pub trait Preprocessor: Send + Sync {
    /// The preprocessor this one starts from; empty for a root.
    fn extends(&self) -> String {
        "GenericPreprocessor".to_owned()
    }

    /// Changes the parent's settings.
    ///
    /// # Errors
    /// Settings that contradict each other.
    fn configure(&self, _settings: &mut PreprocessorSettings) -> Result<()> {
        Ok(())
    }

    /// Replaces resampling and normalization. `None` leaves the work, and the arrays, to the parent's settings.
    ///
    /// The result's arrays share one shape; `data` keeps its channels.
    ///
    /// # Errors
    /// A case this preprocessor cannot handle.
    fn resample_and_normalize(
        &self,
        _case: &CaseArrays,
        _context: &PreprocessContext,
    ) -> Result<Option<CaseArrays>> {
        Ok(None)
    }
}

/// Image and label of a case on one grid, in transposed axis order.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseArrays {
    /// (channels, z, y, x).
    pub data: Array4<f32>,
    /// (z, y, x); -1 outside the nonzero mask.
    pub seg: Array3<f32>,
    /// Voxel size, mm, (z, y, x) in transposed order.
    pub spacing: [f64; 3],
}

/// What a preprocessor needs to know besides the case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreprocessContext {
    /// The case's spacing before resampling, transposed order, mm.
    pub original_spacing: [f64; 3],
    /// Where to resample to.
    pub target: StageTarget,
    /// Normalization by channel, by name.
    pub normalization_schemes: Vec<String>,
    /// By channel: inside the nonzero mask only.
    pub use_mask_for_norm: Vec<bool>,
    /// Foreground intensities of the data set by channel, for CT.
    pub intensities: Option<Vec<IntensityStatistics>>,
}

/// The grid of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageTarget {
    /// Spacing, transposed order, mm.
    pub spacing: [f64; 3],
}

/// All settings of preprocessing. The defaults are those of `GenericPreprocessor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessorSettings {
    /// Spline order for images.
    pub order_data: u32,
    /// Spline order for labels (one-hot).
    pub order_seg: u32,
    /// Order along a separately resampled axis, images.
    pub order_z_data: u32,
    /// Order along a separately resampled axis, labels.
    pub order_z_seg: u32,
    /// Resample the axis of largest spacing on its own: by rule when absent.
    pub force_separate_z: Option<bool>,
    /// Replace NaN by 0 first.
    pub remove_nan: bool,
    /// Keep the spacing of the first axis (slice-wise networks).
    pub keep_first_axis_spacing: bool,
    /// Keep every spacing: no resampling at all.
    pub keep_spacing: bool,
    /// Scale in the plane so that the shorter edge has this many voxels, and make the first axis 1.
    pub fixed_edge_length: Option<usize>,
    /// One normalization for every channel instead of the plans', by name.
    pub normalization: Option<String>,
}

impl PreprocessorSettings {
    /// The normalization of every channel: these settings', else the plans'.
    #[must_use]
    pub fn normalization_names(&self, plans: &[String]) -> Vec<String> {
        plans.iter().map(|name| self.normalization.as_ref().unwrap_or(name).clone()).collect()
    }
}

impl Default for PreprocessorSettings {
    fn default() -> Self {
        Self {
            order_data: 3,
            order_seg: 1,
            order_z_data: 0,
            order_z_seg: 0,
            force_separate_z: None,
            remove_nan: true,
            keep_first_axis_spacing: false,
            keep_spacing: false,
            fixed_edge_length: None,
            normalization: None,
        }
    }
}
