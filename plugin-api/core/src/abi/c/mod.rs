//! The C interface: a second way into the host, for plugins that are not Rust. Kinds whose data are arrays or text cross:
//! postprocessors, normalizations, augmentations, image formats, splitters and resamplers.

mod import;
mod later;
mod object;
mod types;

pub use import::{components, import};
pub use types::{
    CChannel, CComponent, CError, CGeometry, CGridChange, CHost, CIntensities, CLabels, CONTENT_IMAGE,
    CONTENT_LABELS, CONTENT_SCORES, CPlugin, CSample, CSink, CTextSink, ERROR_CAPACITY,
};
