//! Plugins on their way to users: packed into archives, installed from many places, updated and removed.

mod installed;
mod pack;
mod source;
mod temporary;

pub use installed::{Installed, install, installed, remove};
pub use pack::{Pack, PackInfo, write_pack};
pub use source::{Fetched, Source};
