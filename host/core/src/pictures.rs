//! Slices of cases as pictures, read slice by slice: a volume never has to fit into memory.

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::Array2;
use nnunet_formats::nifti;
use nnunet_pictures::overlay;

/// A slice (y, x) of an image with its labels.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Intensities.
    pub image: Array2<f32>,
    /// Labels.
    pub labels: Array2<u8>,
}

/// Draws the fullest slice of a case with its labels in colour, as v1's `plot_task_pngs` does.
///
/// # Errors
/// As [`fullest_slice`]; what the system says.
pub fn overlay_case(image: &Path, labels: &Path, picture: &Path) -> Result<()> {
    let slice = fullest_slice(image, labels)?;
    Ok(overlay(picture, slice.image.view(), slice.labels.view())?)
}

/// The slice with most foreground, the first of several; the first of all without foreground.
///
/// # Errors
/// Files that cannot be read, or whose sizes differ.
pub fn fullest_slice(image: &Path, labels: &Path) -> Result<Slice> {
    let (mut most, mut best, mut found) = (0, 0, Vec::new());
    let geometry = nifti::for_each_slice(labels, |z, slice| {
        let foreground = slice.iter().filter(|label| **label != 0.0).count();
        if foreground > most || z == 0 {
            (most, best) = (foreground, z);
            found = slice.iter().map(|label| *label as u8).collect();
        }
    })?;
    let mut grey = Vec::new();
    let of_image = nifti::for_each_slice(image, |z, slice| {
        if z == best {
            grey = slice.to_vec();
        }
    })?;
    ensure!(
        of_image.size == geometry.size,
        "{} has {:?} voxels (x, y, z) but {} has {:?}",
        image.display(),
        of_image.size,
        labels.display(),
        geometry.size
    );
    let [x, y, _] = geometry.size;
    Ok(Slice { image: Array2::from_shape_vec((y, x), grey)?, labels: Array2::from_shape_vec((y, x), found)? })
}
