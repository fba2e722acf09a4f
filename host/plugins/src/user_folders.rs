//! This user's folders for plugins, configuration and cached files.

use std::path::PathBuf;

/// A folder of this user for our files: below the environment variable, or below `home` in the home folder.
fn user_folder_for(variable: &str, home: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(home)))?;
    Some(folder.join("nnunet"))
}

/// Folder of the user's plugins.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    Some(user_folder_for("XDG_DATA_HOME", ".local/share")?.join("plugins"))
}

/// Folder for what can be made again: results of probing plugin files, builds of plugin crates.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    user_folder_for("XDG_CACHE_HOME", ".cache")
}

/// Folder of the user's configuration.
#[must_use]
pub fn config_folder() -> Option<PathBuf> {
    user_folder_for("XDG_CONFIG_HOME", ".config")
}
