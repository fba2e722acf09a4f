//! The files nnU-Net reads and writes, byte-compatible with what Python makes of them.
//!
//! Nothing read here is ever executed: pickles go through a reader with a fixed list of allowed names. Everything is
//! written to a temporary name and renamed.

pub mod atomic;
mod compressed;
mod error;
pub mod json;
pub mod nifti;
pub mod npy;
pub mod npz;
pub mod pickle;
mod spool;
pub mod tfevents;
pub mod torch_zip;

pub use compressed::CompressedVolume;
pub use error::{Error, Result};
