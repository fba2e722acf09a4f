//! Metrics of a predicted label map against a reference.
//!
//! * [`Confusion`], [`metrics`]: voxel counts and the thirteen metrics of v1's `summary.json`.
//! * [`extended_metrics`]: surfaces ([`Surfaces`]), volumes and lesions ([`Lesions`]), for `summary_extended.json`.
//!
//! Arrays and spacings are (z, y, x), mm. Undefined metrics are NaN, and [`nan_mean`] ignores them.

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
