//! The choices of a resampling.

/// How to resample.
///
/// ```
/// use ndarray::Array4;
/// use nnunet_numerics::{Resampling, resample, resampled_shape, separate_axis_of};
///
/// let spacing = [5.0, 1.0, 1.0];
/// let how = Resampling { order: 3, order_z: 0, separate: separate_axis_of(spacing) };
/// assert_eq!(how.separate, Some(0), "slices are much thicker than pixels");
/// let shape = resampled_shape([4, 10, 10], spacing, [2.5, 2.0, 2.0]);
/// assert_eq!(shape, [8, 5, 5]);
/// let resampled = resample(Array4::ones((1, 4, 10, 10)).view(), shape, how);
/// assert_eq!(resampled.dim(), (1, 8, 5, 5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Spline order, in the plane or in the volume.
    pub order: u32,
    /// Spline order along the separate axis.
    pub order_z: u32,
    /// The axis resampled on its own, if any.
    pub separate: Option<usize>,
}
