//! What follows several models: which postprocessing pays, which configuration is best, and how predictions are merged.

mod consolidate;
mod determine;
mod ensemble;
mod foreground;
mod freshness;
mod missing_folds;
mod postprocessing;

pub use consolidate::{collect, consolidate, is_collected, is_determined};
pub use determine::{Determination, determine};
pub(crate) use ensemble::mean;
pub use ensemble::{Merge, merge};
pub use foreground::{mean_dice, note_foreground_mean};
pub use freshness::is_current;
pub use missing_folds::{VALIDATION, training as training_command};
pub(crate) use postprocessing::described;
pub use postprocessing::{Postprocessing, apply_to_folder};
