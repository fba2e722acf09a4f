//! Postprocessors change label maps after prediction.

mod largest_component;
mod small_objects;

pub use largest_component::{Classes, LargestComponent, LargestComponentConfig, keep_largest};
pub use small_objects::{FillHoles, FillHolesConfig, MinimumSize, MinimumSizeConfig};
