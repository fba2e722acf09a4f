//! The folders of a task.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::part::Part;
use crate::folders::{self, Folders};

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

    /// Waits until no other process works on the cropped and preprocessed cases of this task, and keeps others out until
    /// the result is dropped. Two processes that make the same files would remove each other's. Processes that each make
    /// a part of them do not keep each other out.
    ///
    /// # Errors
    /// Returns an I/O error if the lock's file cannot be made.
    pub fn lock(&self, part: Part) -> Result<File> {
        folders::create(&self.cropped)?;
        let path = self.cropped.join(".lock");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let now = if part.is_all() { file.try_lock() } else { file.try_lock_shared() };
        match now {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::info!("waiting for another process that works on {}", self.name);
                let later = if part.is_all() { file.lock() } else { file.lock_shared() };
                later.with_context(|| path.display().to_string())?;
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) => tracing::warn!("{} cannot be locked: {error}", path.display()),
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_works_on_a_task() {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str| folder.path().join(name);
        let task = TaskFolders {
            name: "Task001_X".to_owned(),
            raw: part("raw"),
            cropped: part("cropped"),
            preprocessed: part("preprocessed"),
        };
        let held = task.lock(Part::ALL).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _lock = task.lock(Part::ALL).unwrap();
            sender.send(()).unwrap();
        });
        assert!(receiver.try_recv().is_err());
        drop(held);
        receiver.recv().unwrap();
        other.join().unwrap();
    }
}
