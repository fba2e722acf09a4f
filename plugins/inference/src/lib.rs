//! Prediction: sliding window with Gaussian weights and mirroring, and export to the original grid
//! (v1 `SegmentationNetwork`, `segmentation_export`).

mod export;
mod sliding_window;
mod tiles;

pub use export::{labels_of, paste, to_cropped_grid};
pub use sliding_window::{SlidingWindow, from_tensor, predict, to_tensor};
pub use tiles::tile_starts;
