//! Rotation, scaling and elastic deformation in one resampling pass.

mod elastic;
mod settings;
mod warp;

pub use settings::Spatial;
pub(crate) use settings::{enlarged, is_elongated, is_planar, shrunk};
pub use warp::{Warp, warp};
pub(crate) use warp::{product, rotations};
