//! Prediction: sliding window with Gaussian weights and mirroring, and export to the original grid
//! (v1 `SegmentationNetwork`, `segmentation_export`).

mod export;
#[cfg(feature = "torch")]
mod logits;
#[cfg(feature = "torch")]
mod sliding_window;
mod tiles;

pub use export::{labels_of, labels_to_cropped_grid, paste, regions_of, segmentation, to_cropped_grid};
#[cfg(feature = "torch")]
pub use logits::predict_logits;
#[cfg(feature = "torch")]
pub use sliding_window::{SlidingWindow, from_tensor, predict, to_tensor};
pub use tiles::tile_starts;
