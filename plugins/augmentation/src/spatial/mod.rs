//! Rotation, scaling and elastic deformation in one resampling pass.

mod elastic;
mod settings;
mod warp;

pub use settings::Spatial;
pub use warp::{Warp, warp};
