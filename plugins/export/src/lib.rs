//! From a network's probabilities to a label map on the grid of the original image (v1 `segmentation_export`, v2
//! `export_prediction`). It needs no tensors: ensembling and postprocessing of saved probabilities use it too.

mod activations;
mod labels;
mod resampler;

pub use activations::{sigmoid, softmax};
pub use labels::{Label, SegmentationHeads, labels_of, labels_to_cropped_grid, paste, regions_of};
pub use resampler::{ExportResampler, Slab, SlabResampler};
