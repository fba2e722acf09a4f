//! This user's folders for plugins, configuration and cached files, as the XDG base directory specification has them.

use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, Xdg};

/// Our folder in each of them.
const OWN: &str = "nnunet";

/// Folder of the user's plugins.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    Some(Xdg::new().ok()?.data_dir().join(OWN).join("plugins"))
}

/// Folder for files that can be made again: results of probing plugin files, builds of plugin crates.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    Some(Xdg::new().ok()?.cache_dir().join(OWN))
}

/// Folder of the user's configuration.
#[must_use]
pub fn config_folder() -> Option<PathBuf> {
    Some(Xdg::new().ok()?.config_dir().join(OWN))
}
