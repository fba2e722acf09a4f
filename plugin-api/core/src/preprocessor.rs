//! Preprocessors: they resample and normalize cropped cases.

use ndarray::{Array3, Array4};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::vocabulary::{ComponentChoice, IntensityStatistics};

/// Resamples and normalizes a cropped case. A preprocessor starts from the settings of its parent, changes some of
/// them, and has a hook that replaces the whole step.
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
    /// Returns an error if the settings contradict each other.
    fn configure(&self, _settings: &mut PreprocessorSettings) -> Result<()> {
        Ok(())
    }

    /// Replaces resampling and normalization. Returns `None`, without having changed the arrays, to resample and
    /// normalize as the settings say. The arrays of the result have the same size (z, y, x), and `data` has as many
    /// channels as before.
    ///
    /// ```
    /// use nnunet_plugin_api::{CaseArrays, PreprocessContext, Preprocessor, PreprocessorSettings, Result};
    ///
    /// /// Keeps the grid, and divides by the largest intensity.
    /// struct Scale;
    ///
    /// impl Preprocessor for Scale {
    ///     fn configure(&self, settings: &mut PreprocessorSettings) -> Result<()> {
    ///         settings.keep_spacing = true;
    ///         Ok(())
    ///     }
    ///
    ///     fn resample_and_normalize(
    ///         &self,
    ///         case: &CaseArrays,
    ///         _context: &PreprocessContext,
    ///     ) -> Result<Option<CaseArrays>> {
    ///         let mut result = case.clone();
    ///         let largest = case.data.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    ///         result.data.mapv_inplace(|value| value / largest);
    ///         Ok(Some(result))
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error if the case cannot be preprocessed.
    fn resample_and_normalize(
        &self,
        _case: &CaseArrays,
        _context: &PreprocessContext,
    ) -> Result<Option<CaseArrays>> {
        Ok(None)
    }
}

/// Image and labels of a case on the same grid, with the axes in transposed order.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseArrays {
    /// Intensities, (channels, z, y, x).
    pub data: Array4<f32>,
    /// Labels, (z, y, x); -1 outside the nonzero mask.
    pub seg: Array3<f32>,
    /// Voxel size, mm, (z, y, x) in transposed order.
    pub spacing: [f64; 3],
}

/// What a preprocessor may need besides the case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreprocessContext {
    /// Spacing of the case before resampling, mm, in transposed order.
    pub original_spacing: [f64; 3],
    /// Grid to resample to.
    pub target: StageTarget,
    /// Name of the normalization of each channel.
    pub normalization_schemes: Vec<String>,
    /// By channel: normalize inside the nonzero mask only.
    pub use_mask_for_norm: Vec<bool>,
    /// Statistics of the foreground intensities of the data set by channel; known if a modality is CT.
    pub intensities: Option<Vec<IntensityStatistics>>,
}

/// The grid of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageTarget {
    /// Spacing, mm, in transposed order.
    pub spacing: [f64; 3],
}

/// All settings of preprocessing. The defaults are those of `GenericPreprocessor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreprocessorSettings {
    /// Spline order of the resampling of images.
    pub order_data: u32,
    /// Spline order of the resampling of labels (one-hot).
    pub order_seg: u32,
    /// Spline order along a separately resampled axis, images.
    pub order_z_data: u32,
    /// Spline order along a separately resampled axis, labels.
    pub order_z_seg: u32,
    /// Resample the axis of largest spacing separately: always or never; none: depending on the anisotropy.
    pub force_separate_z: Option<bool>,
    /// Replace NaN by 0 before resampling.
    pub remove_nan: bool,
    /// Do not resample along the first axis (for 2D networks).
    pub keep_first_axis_spacing: bool,
    /// Do not resample.
    pub keep_spacing: bool,
    /// Resample in the plane so that the shorter edge has this many voxels; the first axis gets size 1.
    pub fixed_edge_length: Option<usize>,
    /// Name of the normalization of every channel, instead of those of the plans.
    pub normalization: Option<String>,
    /// Resampler of images and labels: a name, or a table of a name and parameters. None: for v1 as the orders above say,
    /// for v2 as the plans say.
    pub resampler: Option<ComponentChoice>,
}

impl PreprocessorSettings {
    /// Names of the normalization of every channel: the one of these settings, or else those of the plans.
    ///
    /// ```
    /// use nnunet_plugin_api::PreprocessorSettings;
    ///
    /// let plans = ["CT".to_owned(), "nonCT".to_owned()];
    /// let mut settings = PreprocessorSettings::default();
    /// assert_eq!(settings.normalization_names(&plans), ["CT", "nonCT"]);
    /// settings.normalization = Some("noNorm".to_owned());
    /// assert_eq!(settings.normalization_names(&plans), ["noNorm", "noNorm"]);
    /// ```
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
            resampler: None,
        }
    }
}
