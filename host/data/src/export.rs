//! Label maps on the grid of the raw image.

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::{Array3, ArrayView3};
use nnunet_export::paste;
use nnunet_formats::nifti::Geometry;
use nnunet_plugin_core::vocabulary::CaseProperties;
use nnunet_plugin_core::{LabelVolume, Postprocessor};

use crate::images::{self, Label};

/// Writes labels of the cropped case, (z, y, x), on the case's raw grid, or numbers of a head; outside of the crop they are 0.
///
/// # Errors
/// Returns an I/O error.
pub fn write_labels<L: Label>(path: &Path, labels: ArrayView3<'_, L>, case: &CaseProperties) -> Result<()> {
    let raw = paste(labels, case);
    images::write_labels(path, raw.view(), &raw_geometry(case))
}

/// Labels of a model that has no more than a byte holds.
///
/// # Errors
/// Returns an error for a larger label.
pub fn narrow(labels: Array3<u16>) -> Result<Array3<u8>> {
    let largest = labels.iter().copied().max().unwrap_or(0);
    ensure!(largest <= u16::from(u8::MAX), "label {largest} needs more than 8 bits");
    Ok(labels.mapv(|label| label as u8))
}

/// Labels of the cropped case, after the postprocessor if there is one.
///
/// # Errors
/// Returns the postprocessor's error.
pub fn postprocessed(
    labels: Array3<u8>,
    case: &CaseProperties,
    postprocessor: Option<&dyn Postprocessor>,
) -> Result<Array3<u8>> {
    let mut volume = LabelVolume { labels, spacing: case.original_spacing };
    if let Some(postprocessor) = postprocessor {
        postprocessor.apply(&mut volume)?;
    }
    Ok(volume.labels)
}

/// The geometry of the raw image.
#[must_use]
pub fn raw_geometry(case: &CaseProperties) -> Geometry {
    let [z, y, x] = case.original_size_of_raw_data;
    Geometry {
        size: [x, y, z],
        spacing: case.itk.spacing,
        origin: case.itk.origin,
        direction: case.itk.direction,
    }
}
