//! NIfTI-1 images (`.nii`, `.nii.gz`) with their geometry in ITK's convention, as SimpleITK reads and writes them.

mod geometry;
mod header;
mod read;
mod split;
mod write;

pub use crate::{Geometry, Image};
pub use read::{for_each_slice, read, read_geometry};
pub use split::split;
pub use write::{write_image, write_labels};

/// What the files are, for errors.
const FORMAT: &str = "NIfTI image";
