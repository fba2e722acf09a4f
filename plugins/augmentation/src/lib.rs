//! nnU-Net's data augmentation on the CPU (v1 `get_moreDA_augmentation`, batchgenerators).
//!
//! Each transform is a function with explicit parameters; [`augment`] draws them. Random numbers are counter-based: a
//! sample depends on seed, epoch, batch and place in the batch, not on threads.
//!
//! Samples are (channels, z, y, x); a slice has z = 1.

mod downsample;
mod intensity;
mod lowres;
mod params;
mod patch;
mod pipeline;
mod random;
mod spatial;

pub use downsample::downsample_labels;
pub use intensity::{blur, brightness, contrast, gamma, gaussian_noise};
pub use lowres::simulate_low_resolution;
pub use params::{AugmentationParams, Interval};
pub use patch::{Placement, crop_with_padding, enlarged_patch, place};
pub use pipeline::{Sample, augment};
pub use random::Stream;
pub use spatial::{mirror, spatial};
