//! nnU-Net's data augmentation on the CPU: the transform lists of v1 (batchgenerators) and v2 (batchgeneratorsv2).
//!
//! Each transform is a function with explicit parameters and a table of probabilities and ranges that draws them. An
//! augmentation is a list of such tables, by name in the registry; [`Pipeline`] runs it. Random numbers are
//! counter-based: a sample depends on seed, epoch, batch and position in the batch, not on threads.
//!
//! Samples are (channels, z, y, x); a slice has z = 1.

mod axes;
mod brightness;
mod cascade;
mod downsample;
mod draw;
mod families;
mod family;
mod gaussian;
mod lists_v2;
mod local;
mod lowres;
mod noise;
mod patch;
mod registered;
mod spatial;
mod transform;
mod transform_list;
pub mod v2;

pub use axes::{Mirror, Rot90, Transpose, mirror, quarter_turns, transpose};
pub use brightness::{
    AdditiveBrightness, Brightness, Contrast, Gamma, InvertedGamma, brightness, contrast, gamma,
};
pub use cascade::{Cascade, append_previous_stage, one_hot};
pub use downsample::{downsample_into, downsample_labels};
pub use draw::Interval;
pub use family::Pipeline;
pub use gaussian::SpatialGaussian;
pub use local::{
    BrightnessGradient, LocalGamma, Rectangles, Sharpening, add_gradient, blank, local_gamma, sharpen,
    sharpen_extended,
};
pub use lowres::{LowResolution, simulate_low_resolution};
pub use noise::{Blur, Median, Noise, blur, gaussian_noise};
pub use patch::{Overlap, Placement, enlarged_patch, overlap, place};
pub use registered::Registered;
pub use spatial::{Spatial, Warp, warp};
pub use transform::Transform;
