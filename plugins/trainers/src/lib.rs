//! nnU-Net's trainers: each is a few values on its parent's blueprint.

mod generation;
mod hooks;
mod resolve;
mod table;
mod tables;

pub use generation::{PLANNED_NETWORK, name_in_v2, registered_in_v2};
pub use hooks::Chain;
pub use resolve::{Lookup, Resolved, resolve};
