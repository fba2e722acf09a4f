//! From raw images to network input: cropping to the nonzero region, the data set's fingerprint, resampling and
//! normalization (v1 `preprocessing` and `experiment_planning.DatasetAnalyzer`).

mod case;
mod class_locations;
mod crop;
mod fingerprint;
mod normalizations;
mod preprocessors;
mod resamplers;
mod resolve;
pub mod v2;

pub use case::{Target, preprocess};
pub use class_locations::class_locations;
pub use crop::{Cropped, crop_to_nonzero, crop_to_nonzero_or_keep};
pub use fingerprint::{CaseSummary, assemble, foreground_intensities, intensity_statistics};
pub use resolve::{Lookup, Normalizations, Resamplers, Resolved, normalizations, resolve};
