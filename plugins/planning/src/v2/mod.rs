//! Planning for data sets of v2: all configurations of a data set in one plans file (v2's `experiment_planners`).

mod configuration;
mod document;
mod estimate;
mod patch;
mod planners;
mod procedure;
mod spacing;

pub use document::{Architecture, Configuration, ConfigurationEntry, Fingerprint, Inherited, Plans};
pub use planners::registered_name;
pub use procedure::{DataSet, make_plans};
