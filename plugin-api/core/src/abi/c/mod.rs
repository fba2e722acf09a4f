//! The C interface: a second way into the host, for plugins that are not Rust. Kinds whose data are arrays cross:
//! postprocessors, normalizations, augmentations and image formats.

mod import;
mod object;
mod types;

pub use import::{components, import};
pub use types::{
    CChannel, CComponent, CError, CGeometry, CHost, CIntensities, CLabels, CPlugin, CSample, CSink,
    ERROR_CAPACITY,
};
