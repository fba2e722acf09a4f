//! The files nnU-Net reads and writes, byte-compatible with what Python makes of them.
//!
//! Nothing read here is ever executed: pickles go through a reader with a fixed list of allowed names. Everything is
//! written to a temporary name and renamed.

pub mod atomic;
pub mod b2nd;
mod channel_names;
mod compressed;
mod elements;
mod error;
mod geometry;
pub mod input;
pub mod json;
pub mod meta_image;
pub mod nifti;
pub mod npy;
pub mod npz;
pub mod nrrd;
pub mod pickle;
pub mod picture;
mod pixels;
pub mod safetensors;
pub mod temp_array;
mod text_header;
pub mod tfevents;
pub mod tiff;
pub mod torch_zip;
mod voxels;

pub use channel_names::case_and_channel;
pub use compressed::CompressedVolume;
pub use error::{Error, Result};
pub use geometry::{Geometry, Image};
