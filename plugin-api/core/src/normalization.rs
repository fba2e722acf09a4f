//! Normalisation: the intensities of one channel.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::vocabulary::IntensityStatistics;
use crate::{Error, Result};

/// Brings the intensities of a channel into the range a network learns from. Plans name one for every channel.
///
/// Source: the schemes of v1's `GenericPreprocessor.resample_and_normalize`.
pub trait Normalization: Send + Sync {
    /// Changes the channel in place, (z, y, x), after resampling.
    ///
    /// # Errors
    /// A channel it cannot handle, or knowledge of the data set that is missing.
    fn normalize(&self, channel: ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()>;
}

/// What a normalisation knows besides the intensities.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NormalizationContext<'a> {
    /// The channel's number.
    pub channel: usize,
    /// Label map on the same grid; -1 outside the nonzero mask.
    pub seg: ArrayView3<'a, f32>,
    /// Look only inside the nonzero mask (`seg` >= 0), and set the outside to 0.
    pub use_mask: bool,
    /// Foreground intensities of the data set; known when a modality is CT.
    pub intensities: Option<IntensityStatistics>,
}

impl<'a> NormalizationContext<'a> {
    /// A channel without a mask and without knowledge of the data set.
    #[must_use]
    pub fn new(channel: usize, seg: ArrayView3<'a, f32>) -> Self {
        Self { channel, seg, use_mask: false, intensities: None }
    }
}

/// Whether every intensity of a channel is a finite number.
pub(crate) fn all_finite(channel: ArrayView3<'_, f32>) -> bool {
    channel.iter().all(|value| value.is_finite())
}

/// The rule for what a normalization returns: finite intensities stay finite. A channel that had NaN or an infinity before
/// is not looked at.
pub(crate) fn still_finite<'a>(was_finite: bool, after: impl IntoIterator<Item = &'a f32>) -> Result<()> {
    match after.into_iter().find(|value| was_finite && !value.is_finite()) {
        Some(odd) => Err(Error::NotFinite(format!("intensity {odd}"))),
        None => Ok(()),
    }
}

/// Normalizes a channel in place, (z, y, x), and checks the result. It is how the program calls every normalization,
/// built-in or not: one that turns finite intensities into NaN or an infinity is an error, here and for plugins in Rust and
/// C alike. A channel that had such values before is not checked.
///
/// ```
/// use ndarray::{Array3, ArrayViewMut3};
/// use nnunet_plugin_core::{Normalization, NormalizationContext, Result, normalize_channel};
///
/// /// Divides by the largest intensity.
/// struct ByMaximum;
///
/// impl Normalization for ByMaximum {
///     fn normalize(&self, mut channel: ArrayViewMut3<'_, f32>, _: &NormalizationContext<'_>) -> Result<()> {
///         let largest = channel.iter().copied().fold(0.0, f32::max);
///         channel.mapv_inplace(|value| value / largest);
///         Ok(())
///     }
/// }
///
/// let seg = Array3::zeros((1, 1, 2));
/// let context = NormalizationContext::new(0, seg.view());
/// let mut channel = Array3::from_shape_vec((1, 1, 2), vec![2.0, 4.0]).unwrap();
/// normalize_channel(&ByMaximum, channel.view_mut(), &context).unwrap();
/// assert_eq!(channel.as_slice(), Some(&[0.5, 1.0][..]));
///
/// let mut empty = Array3::zeros((1, 1, 2));
/// assert!(normalize_channel(&ByMaximum, empty.view_mut(), &context).is_err(), "0 divided by 0");
/// ```
///
/// # Errors
/// Returns the normalization's error, or [`Error::NotFinite`].
pub fn normalize_channel(
    normalization: &dyn Normalization,
    mut channel: ArrayViewMut3<'_, f32>,
    context: &NormalizationContext<'_>,
) -> Result<()> {
    let was_finite = all_finite(channel.view());
    normalization.normalize(channel.view_mut(), context)?;
    still_finite(was_finite, channel.iter())
}
