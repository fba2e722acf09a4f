//! The plain data that flows between the steps. All vectors are in (z, y, x) order unless a field says otherwise.

mod blueprint;
mod case;
mod epoch;
mod fingerprint;
mod plans;

pub use blueprint::{
    AugmentationChoice, Blueprint, ComponentChoice, LearningRateSchedule, Optimizer, Precision,
};
pub use case::{CaseProperties, ClassLocations, ItkGeometry};
pub use epoch::EpochReport;
pub use fingerprint::{Fingerprint, IntensityProperties, IntensityStatistics};
pub use plans::{Plans, SegmentationExport, Stage};
