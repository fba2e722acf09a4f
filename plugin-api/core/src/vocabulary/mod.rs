//! The plain data that flows between the steps. All vectors are in (z, y, x) order unless a field says otherwise.

mod blueprint;
mod case;
mod epoch;
mod fingerprint;
mod optimizer;
mod plans;
mod regions;
mod schedule;

pub use blueprint::{AugmentationChoice, Blueprint, ComponentChoice, Precision};
pub use case::{CaseProperties, ClassLocations, ItkGeometry};
pub use epoch::EpochReport;
pub use fingerprint::{Fingerprint, IntensityProperties, IntensityStatistics};
pub use optimizer::Optimizer;
pub use plans::{Plans, SegmentationExport, Stage};
pub use regions::{Region, Regions};
pub use schedule::{LearningRateSchedule, MomentumSchedule, Patience};
