//! What a report is made of.

use std::path::PathBuf;

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
