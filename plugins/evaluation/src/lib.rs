//! Metrics of a segmentation against its reference: functions of label maps, nothing else.
//!
//! * [`Confusion`], [`metrics`]: counts of voxels and v1's thirteen metrics of `summary.json`.
//! * [`extended_metrics`]: surfaces ([`Surfaces`]), volumes and lesions ([`Lesions`]), for the second summary.
//!
//! Arrays and spacings are (z, y, x), mm. What is undefined is NaN, and [`nan_mean`] leaves it out.

mod confusion;
mod extended;
mod lesions;
mod pair;
mod surface;

pub use confusion::{Confusion, metrics, nan_mean};
pub use extended::{EXTENDED, extended_metrics};
pub use lesions::Lesions;
pub use pair::MaskPair;
pub use surface::Surfaces;
