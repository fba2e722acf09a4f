//! Cache keys: whether a case on disk is up to date with its inputs.
//!
//! A case is three files: `<case>.key`, `<case>.npz` and `<case>.pkl`, made in this order after the old pkl has been
//! removed. A pkl with a matching key therefore stands for a whole case, wherever an earlier run was killed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_formats::atomic;

use crate::folders;

/// Bump it when the same inputs give other bytes.
const VERSION: &str = "nnunet case 1";

/// Folder of the keys of v2's cases.
const KEYS: &str = "keys";

/// A hash of everything a case follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

/// Collects what a case follows from.
pub(crate) struct KeyBuilder(blake3::Hasher);

impl KeyBuilder {
    pub(crate) fn new() -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(VERSION.as_bytes());
        Self(hasher)
    }

    /// The bytes of a file.
    pub(crate) fn file(mut self, path: &Path) -> Result<Self> {
        let bytes = nnunet_formats::input::read(path)?;
        self.0.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
        Ok(self)
    }

    /// A text, for example settings as JSON.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        self
    }

    pub(crate) fn finish(self) -> Key {
        Key(self.0.finalize().to_hex().to_string())
    }
}

/// The files of a case: `path` is the folder and the case's name.
pub(crate) struct CaseFiles {
    /// Image and label.
    pub npz: PathBuf,
    /// Properties.
    pub pkl: PathBuf,
    key: PathBuf,
    /// Files without which the case is not complete.
    arrays: Vec<PathBuf>,
}

impl CaseFiles {
    pub(crate) fn new(folder: &Path, case: &str) -> Self {
        let with = |ending: &str| folder.join(format!("{case}.{ending}"));
        Self { npz: with("npz"), pkl: with("pkl"), key: with("key"), arrays: vec![with("npz")] }
    }

    /// A case of v2 with arrays in files of these endings. Its key is in a folder of its own: v2 takes a folder whose
    /// files have several endings for broken.
    pub(crate) fn with_key_apart(folder: &Path, case: &str, endings: &[&str]) -> Result<Self> {
        let keys = folder.join(KEYS);
        folders::create(&keys)?;
        let arrays = endings.iter().map(|ending| folder.join(format!("{case}{ending}"))).collect();
        Ok(Self { key: keys.join(format!("{case}.key")), arrays, ..Self::new(folder, case) })
    }

    /// Whether the case is there and was made from the same.
    pub(crate) fn is_current(&self, key: &Key) -> bool {
        self.exist() && self.stored().as_ref() == Some(key)
    }

    /// Whether the case is there but has no key: Python made it.
    pub(crate) fn is_foreign(&self) -> bool {
        self.exist() && self.stored().is_none()
    }

    /// Whether the case is there, whatever it was made from.
    pub(crate) fn exist(&self) -> bool {
        self.pkl.is_file() && self.arrays.iter().all(|path| path.is_file())
    }

    fn stored(&self) -> Option<Key> {
        std::fs::read_to_string(&self.key).ok().map(|text| Key(text.trim().to_owned()))
    }

    /// Makes the old case invalid and notes what the new one is made from.
    pub(crate) fn begin(&self, key: &Key) -> Result<()> {
        remove(&self.pkl)?;
        Ok(atomic::write_bytes(&self.key, format!("{}\n", key.0).as_bytes())?)
    }
}

/// Removes a file that may not exist.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes what a killed run left behind under temporary names.
pub(crate) fn sweep(folder: &Path) -> Result<()> {
    folders::create(folder)?;
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(atomic::TEMPORARY_PREFIX) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}
