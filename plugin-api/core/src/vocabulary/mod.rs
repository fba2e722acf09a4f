//! Data that the steps exchange. All vectors are in (z, y, x) order unless a field says otherwise.
//!
//! The settings of a training are a [`Blueprint`]. A trainer changes its fields; a configuration file names them as
//! keys:
//!
//! ```
//! use nnunet_plugin_api::vocabulary::{Blueprint, LearningRateSchedule, Optimizer};
//! use nnunet_plugin_api::{Config, overlay, serde_json};
//!
//! let mut blueprint = Blueprint::default();
//! let table: Config = serde_json::from_str(
//!     r#"{
//!         "optimizer": { "name": "Adam", "amsgrad": false },
//!         "lr_schedule": { "name": "steps", "epochs": [500, 750] }
//!     }"#,
//! ).unwrap();
//! overlay(&mut blueprint, &table).unwrap();
//! assert_eq!(blueprint.lr_schedule, LearningRateSchedule::Steps { epochs: vec![500, 750] });
//! assert!(matches!(blueprint.optimizer, Optimizer::Adam { amsgrad: false, eps, .. } if eps == 1e-8));
//! ```
//!
//! Region-based training (BraTS): whole tumor, tumor core and enhancing tumor overlap.
//!
//! ```
//! use nnunet_plugin_api::vocabulary::{Blueprint, Region, Regions};
//!
//! let region = |name: &str, labels: &[u8]| Region { name: name.to_owned(), labels: labels.to_vec() };
//! let regions = vec![
//!     region("whole tumor", &[1, 2, 3]),
//!     region("tumor core", &[2, 3]),
//!     region("enhancing tumor", &[3]),
//! ];
//! let regions = Regions { regions, class_order: vec![1, 2, 3] };
//! let blueprint = Blueprint { regions: Some(regions), ..Blueprint::default() };
//! assert_eq!(blueprint.regions.unwrap().regions.len(), 3);
//! ```

mod blueprint;
mod case;
mod choice;
mod epoch;
mod fingerprint;
mod optimizer;
mod parameter_group;
mod plans;
mod regions;
mod schedule;

pub use blueprint::{Blueprint, Precision};
pub use case::{CaseProperties, ClassLocations, ItkGeometry};
pub use choice::{AugmentationChoice, ComponentChoice};
pub use epoch::EpochReport;
pub use fingerprint::{Fingerprint, IntensityProperties, IntensityStatistics};
pub use optimizer::Optimizer;
pub use parameter_group::ParameterGroup;
pub use plans::{Plans, SegmentationExport, Stage};
pub use regions::{Region, Regions};
pub use schedule::{LearningRateSchedule, MomentumSchedule, Patience};
