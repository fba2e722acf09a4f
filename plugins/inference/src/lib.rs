//! Prediction: sliding window with Gaussian weights and mirroring, and export to the original grid
//! (v1 `SegmentationNetwork`, `segmentation_export`; v2 `nnUNetPredictor`). The sliding window hands rows on as they
//! become final, so no step needs the scores of the whole volume.

#[cfg(feature = "torch")]
mod band;
mod export;
#[cfg(feature = "torch")]
mod mirror;
#[cfg(feature = "torch")]
mod slices;
#[cfg(feature = "torch")]
mod storage;
#[cfg(feature = "torch")]
mod tensors;
mod tiles;
mod way_back;
#[cfg(feature = "torch")]
mod weights;
#[cfg(feature = "torch")]
mod window;

pub use export::{Heads, labels_of, labels_to_cropped_grid, paste, regions_of};
#[cfg(feature = "torch")]
pub use mirror::{is_out_of_memory, try_tile};
#[cfg(feature = "torch")]
pub use storage::Storage;
#[cfg(feature = "torch")]
pub use tensors::{from_tensor, to_tensor};
pub use tiles::{tile_count, tile_starts};
pub use way_back::{Slab, SlabReturn, WayBack};
#[cfg(feature = "torch")]
pub use window::{Scores, Sink, SlidingWindow, predict_rows};
