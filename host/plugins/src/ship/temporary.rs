//! Folders for files that are unpacked.

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::user_folders::cache_folder;

/// A new folder below the user's cache that nobody else can read.
pub(super) fn folder() -> Result<TempDir> {
    let parent = cache_folder().context("neither XDG_CACHE_HOME nor HOME is set")?.join("sources");
    std::fs::create_dir_all(&parent).with_context(|| parent.display().to_string())?;
    tempfile::tempdir_in(&parent).with_context(|| parent.display().to_string())
}
