//! Sharing models: zip archives in v1's layout, the published models, and the trainer a checkpoint names.

mod archive;
mod archive_v2;
mod install;
mod layout;
mod plugins;
mod pretrained;
mod trainer_class;

pub use archive::{Export, export};
pub use archive_v2::{ExportV2, export_v2};
pub use install::{install, is_of_v2, is_tar};
pub use plugins::CarriedPlugins;
pub use pretrained::{Published, published, published_named};
pub use trainer_class::change_trainer;
