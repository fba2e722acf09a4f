//! From a network's probabilities to a label map on the grid of the original image (v1 `segmentation_export`, v2
//! `export_prediction`). It needs no tensors: ensembling and postprocessing of saved probabilities use it too.

mod activations;
mod labels;
mod progress;
mod resampler;
mod slab_resampler;

pub use activations::{sigmoid, softmax};
pub use labels::{Label, SegmentationHeads, labels_of, labels_to_cropped_grid, paste, regions_of};
pub use progress::SlabProgress;
pub use resampler::ExportResampler;
pub use slab_resampler::{Slab, SlabResampler};
