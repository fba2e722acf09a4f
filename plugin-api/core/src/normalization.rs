//! Normalizations: they bring the intensities of one channel into the range a network learns from.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::vocabulary::IntensityStatistics;
use crate::{Error, Result};

/// Brings the intensities of a channel into the range a network learns from, for example to mean 0 and standard
/// deviation 1. Plans name one for every channel. It runs after resampling, on several cases at once, so it takes
/// `&self`.
///
/// ```
/// use nnunet_plugin_api::ndarray::ArrayViewMut3;
/// use nnunet_plugin_api::{Component, Info, Kind, Normalization, NormalizationContext, Registration, Result, inventory};
///
/// /// Scales the intensities of a channel to 0 to 1.
/// struct MinMax;
///
/// impl Normalization for MinMax {
///     fn normalize(&self, mut channel: ArrayViewMut3<'_, f32>, _: &NormalizationContext<'_>) -> Result<()> {
///         let low = channel.iter().copied().fold(f32::INFINITY, f32::min);
///         let high = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
///         channel.mapv_inplace(|value| (value - low) / (high - low).max(1e-8));
///         Ok(())
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Normalization, "MinMax", "Scales intensities to 0 to 1.");
///     Component::normalization(info, |_config| Ok(Box::new(MinMax)))
/// }));
/// ```
///
/// Source: the schemes of v1's `GenericPreprocessor.resample_and_normalize` and v2's `ImageNormalization` classes.
pub trait Normalization: Send + Sync {
    /// Changes the intensities of a channel in place. `channel` has the axes (z, y, x) of the resampled case, in
    /// transposed order, and any memory layout.
    ///
    /// # Errors
    /// Returns an error if the channel cannot be normalized, or if it needs [`NormalizationContext::intensities`] and
    /// they are `None`.
    fn normalize(&self, channel: ArrayViewMut3<'_, f32>, context: &NormalizationContext<'_>) -> Result<()>;
}

/// What a normalization may need besides the intensities.
///
/// ```
/// use nnunet_plugin_api::NormalizationContext;
/// use nnunet_plugin_api::ndarray::{Array3, Zip};
///
/// // The mean inside the nonzero mask.
/// let seg = Array3::from_shape_vec((1, 1, 3), vec![-1.0, 0.0, 1.0]).unwrap();
/// let mut context = NormalizationContext::new(0, seg.view());
/// context.use_mask = true;
/// let channel = Array3::from_shape_vec((1, 1, 3), vec![9.0_f32, 1.0, 3.0]).unwrap();
/// let (mut sum, mut count) = (0.0, 0);
/// Zip::from(&channel).and(context.seg).for_each(|value, label| {
///     if !context.use_mask || *label >= 0.0 {
///         sum += value;
///         count += 1;
///     }
/// });
/// assert_eq!(sum / count as f32, 2.0);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NormalizationContext<'a> {
    /// Index of the channel, from 0.
    pub channel: usize,
    /// Label map of the case on the same grid, (z, y, x); -1 outside the nonzero mask.
    pub seg: ArrayView3<'a, f32>,
    /// Use the intensities inside the nonzero mask (`seg` >= 0) only, and set those outside to 0.
    pub use_mask: bool,
    /// Statistics of the foreground intensities of this channel over the data set; known if a modality is CT.
    pub intensities: Option<IntensityStatistics>,
}

impl<'a> NormalizationContext<'a> {
    /// The context of a channel that is normalized without the mask and without statistics of the data set.
    #[must_use]
    pub fn new(channel: usize, seg: ArrayView3<'a, f32>) -> Self {
        Self { channel, seg, use_mask: false, intensities: None }
    }
}

/// Whether every intensity of a channel is a finite number.
pub(crate) fn all_finite(channel: ArrayView3<'_, f32>) -> bool {
    channel.iter().all(|value| value.is_finite())
}

/// The rule for what a normalization returns: finite intensities stay finite. A channel that had NaN or an infinity
/// before is not looked at.
pub(crate) fn still_finite<'a>(was_finite: bool, after: impl IntoIterator<Item = &'a f32>) -> Result<()> {
    match after.into_iter().find(|value| was_finite && !value.is_finite()) {
        Some(value) => Err(Error::NotFinite(format!("intensity {value}"))),
        None => Ok(()),
    }
}

/// Normalizes a channel in place, (z, y, x), and checks the result. It is how the program calls every normalization,
/// built-in or not: one that turns finite intensities into NaN or an infinity is an error, here and for plugins in
/// Rust and C alike. A channel that had such values before is not checked.
///
/// ```
/// use ndarray::{Array3, ArrayViewMut3};
/// use nnunet_plugin_api::{Normalization, NormalizationContext, Result, normalize_channel};
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
