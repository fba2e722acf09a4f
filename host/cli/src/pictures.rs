//! Slices of cases as pictures; of NIfTI files one slice at a time is in memory.

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::{Array2, Axis};
use nnunet_data::images;
use nnunet_data::label_names::LabelNames;
use nnunet_pictures::{LabelledSlice, OVERLAY_INTENSITY, labelled_slice, overlay};

/// A slice (y, x) of an image with its labels.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Intensities.
    pub image: Array2<f32>,
    /// Labels.
    pub labels: Array2<u8>,
    /// (y, x) mm.
    pub spacing: [f64; 2],
}

/// Draws the fullest slice of a case with its labels in color, as v1's `plot_task_pngs` does.
///
/// # Errors
/// As [`fullest_slice`], or an I/O error.
pub fn overlay_case(image: &Path, labels: &Path, picture: &Path) -> Result<()> {
    let slice = fullest_slice(image, labels)?;
    Ok(overlay(picture, slice.image.view(), slice.labels.view(), OVERLAY_INTENSITY)?)
}

/// Draws the fullest slice of a case with its labels in color and their names, at a size that can be read.
///
/// # Errors
/// As [`fullest_slice`], or an I/O error.
pub fn labels_of_case(image: &Path, labels: &Path, picture: &Path, names: &LabelNames) -> Result<()> {
    let Slice { image, labels, spacing } = fullest_slice(image, labels)?;
    let slice = LabelledSlice { image: image.view(), labels: labels.view(), spacing };
    Ok(labelled_slice(picture, &slice, |label| names.shown(&label.to_string()))?)
}

/// The slice with most foreground, the first of several; the first of all without foreground.
///
/// # Errors
/// Returns an error for files that cannot be read, or whose sizes differ.
pub fn fullest_slice(image: &Path, labels: &Path) -> Result<Slice> {
    let (mut most, mut best, mut found) = (0, 0, Vec::new());
    let geometry = images::for_each_slice(labels, |z, slice| {
        let foreground = slice.iter().filter(|label| **label != 0.0).count();
        if foreground > most || z == 0 {
            (most, best) = (foreground, z);
            found = slice.iter().map(|label| *label as u8).collect();
        }
    })?;
    let (size, gray) = if geometry.size[2] == 1 { first_channel(image)? } else { slice_of(image, best)? };
    ensure!(
        size == geometry.size,
        "{} has {size:?} voxels (x, y, z) but {} has {:?}",
        image.display(),
        labels.display(),
        geometry.size
    );
    let ([x, y, _], [dx, dy, _]) = (geometry.size, geometry.spacing);
    let (image, labels) = (Array2::from_shape_vec((y, x), gray)?, Array2::from_shape_vec((y, x), found)?);
    Ok(Slice { image, labels, spacing: [dy, dx] })
}

/// Size (x, y, z) of an image, and one of its slices.
fn slice_of(image: &Path, wanted: usize) -> Result<([usize; 3], Vec<f32>)> {
    let mut gray = Vec::new();
    let geometry = images::for_each_slice(image, |z, slice| {
        if z == wanted {
            gray = slice.to_vec();
        }
    })?;
    Ok((geometry.size, gray))
}

/// Of an image of one slice, which may be a picture in colors.
fn first_channel(image: &Path) -> Result<([usize; 3], Vec<f32>)> {
    let channels = images::read_channels(image)?;
    let (_, z, y, x) = channels.dim();
    Ok(([x, y, z], channels.index_axis(Axis(0), 0).iter().copied().collect()))
}
