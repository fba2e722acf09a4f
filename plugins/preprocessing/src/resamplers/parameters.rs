//! Values that several resamplers have as parameters.

use nnunet_numerics::separate_axis_above;
use nnunet_plugin_core::{Error, GridChange, Result};

/// Ratio of the largest to the smallest spacing above which an axis is resampled on its own.
pub(super) const ANISOTROPY_THRESHOLD: f64 = 3.0;

/// The highest order of a spline.
const LARGEST_ORDER: u32 = 5;

/// Checks the order of a spline.
pub(super) fn check_order(parameter: &str, order: u32) -> Result<()> {
    if order <= LARGEST_ORDER {
        return Ok(());
    }
    let message = format!("resampling of order {order}: splines have orders up to {LARGEST_ORDER}");
    Err(Error::parameter(parameter, message))
}

/// Checks the threshold of anisotropy.
pub(super) fn check_threshold(threshold: f64) -> Result<()> {
    if threshold >= 1.0 {
        return Ok(());
    }
    Err(Error::parameter("separate_z_anisotropy_threshold", format!("{threshold} is not from 1 on")))
}

/// The axis that is resampled on its own.
pub(super) fn separate(change: &GridChange, force: Option<bool>, threshold: f64) -> Option<usize> {
    separate_axis_above(change.from, change.to, force, threshold)
}

/// Whether an array of this size has the size that is wanted.
pub(super) fn is_there((z, y, x): (usize, usize, usize), change: &GridChange) -> bool {
    change.shape == [z, y, x]
}
