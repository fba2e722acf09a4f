//! The folders of a task.

use std::path::PathBuf;

use anyhow::Result;

use crate::folders::Folders;

/// Folders of one task.
#[derive(Debug, Clone)]
pub struct TaskFolders {
    /// Name of the task.
    pub name: String,
    /// Raw data.
    pub raw: PathBuf,
    /// Cropped cases.
    pub cropped: PathBuf,
    /// Preprocessed cases.
    pub preprocessed: PathBuf,
}

impl TaskFolders {
    /// The folders of a task.
    ///
    /// # Errors
    /// Returns an error if a folder is not configured.
    pub fn of(folders: &Folders, name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            raw: folders.raw()?.join(name),
            cropped: folders.cropped()?.join(name),
            preprocessed: folders.preprocessed()?.join(name),
        })
    }
}
