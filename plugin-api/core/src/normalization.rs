//! Normalisation: the intensities of one channel.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::Result;
use crate::vocabulary::IntensityStatistics;

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
