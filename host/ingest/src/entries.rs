//! What is in a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::images;
use nnunet_dicom::is_dicom;

/// Names that a message lists.
const MOST_NAMES: usize = 10;

/// What is in a folder, sorted; hidden files and links to folders are left out.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read the folder {}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let is_link_to_folder =
            entry.file_type().is_ok_and(|kind| kind.is_symlink()) && entry.path().is_dir();
        if !entry.file_name().as_encoded_bytes().starts_with(b".") && !is_link_to_folder {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The name of a file or folder, without blanks.
pub(crate) fn case_name(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)?;
    let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
    Ok(name.to_string_lossy().split_whitespace().collect::<Vec<_>>().join("_"))
}

/// Whether a file has the name of an image; of a NIfTI pair, the header counts.
pub(crate) fn is_image(name: &str) -> bool {
    images::ending(name).is_some() && !name.ends_with(".img")
}

/// Whether a folder has DICOM series, itself or in its folders, and no other images.
#[must_use]
pub fn has_series(folder: &Path) -> bool {
    let Ok(entries) = entries(folder) else { return false };
    let is_image = |path: &PathBuf| {
        path.is_file()
            && path.file_name().is_some_and(|name| images::ending(&name.to_string_lossy()).is_some())
    };
    !entries.iter().any(is_image) && has_dicom(folder)
}

pub(crate) fn has_dicom(folder: &Path) -> bool {
    let entries = entries(folder).unwrap_or_default();
    entries.iter().any(|path| if path.is_dir() { has_dicom(path) } else { is_dicom(path) })
}

/// Names for a message.
pub(crate) fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let text = names[..names.len() - more].join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}
