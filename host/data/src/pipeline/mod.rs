//! The steps from a raw task to preprocessed cases, over all cases of the task.

mod cache_key;
mod crop;
mod fingerprint;
mod parallel;
mod plan;
mod preprocess;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::folders::{self, Folders};

pub use crop::{RawCase, copy_file, crop_case, crop_task};
pub use fingerprint::analyze;
pub use parallel::Limits;
pub use plan::{plan, reuse_plans, write_plans};
pub use preprocess::{Recipe, preprocess_task};

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
    /// A root that is not set.
    pub fn of(folders: &Folders, name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            raw: folders.raw()?.join(name),
            cropped: folders.cropped()?.join(name),
            preprocessed: folders.preprocessed()?.join(name),
        })
    }

    /// Waits until no other process works on the cropped and preprocessed cases of this task, and keeps others out until
    /// the result is dropped. Two processes that make the same files would remove each other's.
    ///
    /// # Errors
    /// Returns an I/O error if the lock's file cannot be made.
    pub fn lock(&self) -> Result<File> {
        folders::create(&self.cropped)?;
        let path = self.cropped.join(".lock");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::info!("waiting for another process that works on {}", self.name);
                file.lock().with_context(|| path.display().to_string())?;
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) => tracing::warn!("{} cannot be locked: {error}", path.display()),
        }
        Ok(file)
    }
}

/// Makes `to` a copy of the label maps in `from`.
///
/// # Errors
/// Returns an I/O error if a file cannot be read or written.
pub fn copy_references(from: &Path, to: &Path) -> Result<()> {
    folders::create(to)?;
    for name in folders::file_names(from, ".nii.gz") {
        crop::copy_file(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

/// Bytes of so many voxels in single precision.
fn f32_bytes(voxels: u64) -> u64 {
    4 * voxels
}

fn voxels(size: [usize; 3]) -> u64 {
    size.iter().map(|len| *len as u64).product()
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
        let held = task.lock().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let _lock = task.lock().unwrap();
            sender.send(()).unwrap();
        });
        assert!(receiver.try_recv().is_err());
        drop(held);
        receiver.recv().unwrap();
        other.join().unwrap();
    }
}
