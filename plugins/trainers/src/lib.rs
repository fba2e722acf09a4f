//! nnU-Net's trainers: each is a few values on its parent's blueprint.

mod resolve;
mod v2;

pub use resolve::{Lookup, Resolved, resolve};
