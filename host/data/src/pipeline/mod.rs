//! The steps from a raw task to preprocessed cases, over all cases of the task.

mod cache_key;
mod crop;
mod fingerprint;
mod parallel;
mod plan;
mod preprocess;

use std::path::{Path, PathBuf};

use anyhow::Result;

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
}

/// Makes `to` a copy of the label maps in `from`.
///
/// # Errors
/// What the system says.
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
