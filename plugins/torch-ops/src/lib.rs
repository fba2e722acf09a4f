//! Calls of libtorch that tch has none for.

mod backend;

pub use backend::cuda_is_registered;
