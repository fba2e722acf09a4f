//! Preprocessing of v2: crop, normalize, then resample (v2 `DefaultPreprocessor` and `DatasetFingerprintExtractor`).

mod case;
mod class_locations;
mod fingerprint;

pub use case::{Recipe, preprocess};
pub use class_locations::{Class, Locations, class_locations};
pub use fingerprint::{Intensities, Sample, sample_foreground, statistics};
