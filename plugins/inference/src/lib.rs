//! Prediction: the sliding window with Gaussian weights and mirroring (v1 `SegmentationNetwork`, v2 `nnUNetPredictor`).
//! It hands rows on as they become final, so that no step needs the scores of the whole volume. nnunet-export, which turns
//! them into labels, is re-exported.

mod band;
mod device_resample;
mod mirror;
mod predict_rows;
mod slices;
mod storage;
mod tensor_passes;
mod tensor_slabs;
mod tensor_volume;
mod tensors;
mod tiles;
mod weights;
mod window;

pub use device_resample::{resample_bytes, resample_on};
pub use mirror::{is_out_of_memory, try_tile};
pub use nnunet_export::*;
pub use predict_rows::predict_rows;
pub use storage::Storage;
pub use tensor_slabs::{TensorSlab, TensorSlabs};
pub use tensor_volume::TensorVolume;
pub use tensors::{from_tensor, to_tensor};
pub use tiles::{tile_count, tile_starts};
pub use window::{Scores, Sink, SlidingWindow};
