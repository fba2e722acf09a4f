//! The augmentation of nnU-Net v2 (batchgeneratorsv2 0.3): what differs from v1's transforms, and v2's lists.

mod blur;
mod cascade;
#[cfg(test)]
mod distribution_tests;
mod lowres;
mod spatial;
mod warp;

pub use blur::{AxisBlur, blur_axes};
pub use cascade::{Operation, PreviousStage, change_previous_stage};
pub use lowres::{LinearLowResolution, simulate_low_resolution_linear};
pub use spatial::LinearSpatial;
pub use warp::{Interpolation, LinearWarp, warp_linear};
