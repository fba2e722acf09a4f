//! nnU-Net's trainers: each is a few values on its parent's blueprint.

mod resolve;
mod schedules;
mod table;
mod tables;

pub use resolve::{Lookup, Resolved, resolve};
