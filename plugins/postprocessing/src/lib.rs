//! Postprocessors: what is changed in a label map after prediction.

mod largest_component;

pub use largest_component::{LargestComponent, LargestComponentConfig};
