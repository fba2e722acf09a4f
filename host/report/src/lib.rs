//! A report of predictions or of a trained model as one HTML page, which needs no other files.

mod folder;
mod page;
mod settings;
mod slices;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_formats::atomic;

/// What a report is made of.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Folder of predictions, of a fold, or of a model with its folds.
    pub folder: PathBuf,
    /// Folder of the images for the overlays; by default `imagesTr` or `imagesTs` beside the references.
    pub images: Option<PathBuf>,
    /// Folders where images may lie, by the name of the data set's folder (`Task004_Hippocampus`).
    pub raw: Vec<PathBuf>,
    /// Most cases of a table that get overlays; those with the lowest Dice come first.
    pub overlays: usize,
}

/// Writes the report of a folder.
///
/// # Errors
/// Returns an error if the folder has neither predictions with a `summary.json` nor folds of a model, if a file in it
/// cannot be read, or if the page cannot be written.
pub fn write(sources: &Sources, output: &Path) -> Result<()> {
    let sections = folder::sections(&sources.folder)?;
    let page = page::Page::new(sources, &sections)?;
    Ok(atomic::write_bytes(output, page.render()?.as_bytes())?)
}
