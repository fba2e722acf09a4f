//! Reference segmentations of a task.

use std::path::Path;

use anyhow::Result;

use crate::{folders, images};

/// Copies all label maps from one folder to another.
///
/// # Errors
/// Returns an I/O error if a file cannot be copied.
pub fn copy_references(from: &Path, to: &Path) -> Result<()> {
    folders::create(to)?;
    for name in folders::file_names(from, images::DEFAULT_ENDING)? {
        folders::copy_file(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
