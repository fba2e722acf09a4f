//! The series of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nnunet_formats::Geometry;

use crate::slice::{self, Slice, failed, is_dicom};
use crate::{Error, Result, stack};

/// The files of one series.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its description, or its number.
    pub name: String,
    /// Its number in the study.
    pub number: Option<String>,
    /// Its identifier, which no other series has.
    pub id: String,
    /// What took the images: `CT`, `MR`, `PT` and so on; empty if the files do not say.
    pub modality: String,
    /// Folder of its files.
    pub folder: PathBuf,
    /// Its files, sorted by position if they are a grid.
    pub files: Vec<PathBuf>,
    /// The grid of its voxels, or why there is none.
    pub geometry: Result<Geometry>,
    /// What is strange about the grid, if there is one.
    pub doubt: Option<String>,
}

/// The series of a folder and of the folders in it, sorted by folder. Files that are not DICOM images are left out.
///
/// # Errors
/// Returns an error for a folder without images, or a DICOM file that is damaged.
pub fn list(folder: &Path) -> Result<Vec<Series>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut by_series: BTreeMap<(PathBuf, String), Vec<Slice>> = BTreeMap::new();
    for file in files.iter().filter(|file| is_dicom(file)) {
        if let Some(slice) = slice::read(file)? {
            let folder = file.parent().unwrap_or(folder).to_owned();
            by_series.entry((folder, slice.series.clone())).or_default().push(slice);
        }
    }
    if by_series.is_empty() {
        return Err(Error::Nothing(folder.to_owned()));
    }
    Ok(by_series.into_iter().map(|((folder, _), slices)| series(folder, slices)).collect())
}

fn series(folder: PathBuf, mut slices: Vec<Slice>) -> Series {
    let geometry = stack::sort(&mut slices);
    let of_first = |text: fn(&Slice) -> &String| slices.first().map(text).cloned().unwrap_or_default();
    Series {
        name: of_first(|slice| &slice.name),
        number: slices.first().and_then(|slice| slice.number.clone()),
        id: of_first(|slice| &slice.series),
        modality: of_first(|slice| &slice.modality),
        folder,
        doubt: geometry.as_ref().ok().and_then(|geometry| stack::doubt(&slices, geometry)),
        geometry,
        files: slices.into_iter().map(|slice| slice.file).collect(),
    }
}

/// All files of a folder and of the folders in it. Links to folders are not followed: they may form a circle.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|error| failed(folder, error.to_string()))?;
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files)?,
            _ => files.push(entry.path()),
        }
    }
    Ok(())
}
