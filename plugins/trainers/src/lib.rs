//! nnU-Net's trainers: each is a few values on its parent's blueprint.

mod parallel;
mod resolve;
mod schedules;
mod table;
mod tables;
mod v2;

pub use resolve::{Lookup, Resolved, resolve};
