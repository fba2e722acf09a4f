//! libtorch: which versions fit, where one is, and how one is installed.
//!
//! It depends on std alone: `cargo setup` builds it before there is a libtorch.

mod find;
mod install;
mod version;

pub use find::{Found, LIBRARY_PATH, Search, Searched, VARIABLE, library_path};
pub use install::{Parts, has_cuda, install, installed};
pub use version::{cuda_version, fits, torch_version};

/// The version that is installed.
pub const VERSION: &str = "2.11.0";
