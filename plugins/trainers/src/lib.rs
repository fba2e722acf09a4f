//! nnU-Net's trainers: each is a few values on its parent's blueprint.

mod hooks;
mod resolve;
mod schedules;
mod table;
mod tables;

pub use hooks::Chain;
pub use resolve::{Lookup, Resolved, resolve};
