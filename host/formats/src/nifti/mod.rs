//! NIfTI-1 images (`.nii`, `.nii.gz`, pairs of `.hdr` and `.img`) with their geometry in ITK's convention, as
//! SimpleITK reads and writes them.
//!
//! Headers are read, and files written, by the crate `nifti`. Voxels are decoded here: see docs/decisions.md.

mod geometry;
mod header;
mod pair;
mod read;
mod split;
mod write;

pub use crate::{Geometry, Image};
pub use pair::Pair;
pub use read::{for_each_slice, read, read_geometry, read_keeping_nan};
pub use split::{check, split};
pub use write::{write_i16, write_image, write_labels, write_wide_labels};

/// The format's name, for errors.
const FORMAT: &str = "NIfTI image";
