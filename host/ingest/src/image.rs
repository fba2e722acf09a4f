//! Images of any format as NIfTI, a file for each channel.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ndarray::{Array4, s};
use nnunet_data::images;
use nnunet_formats::{Geometry, nifti};

use crate::cases::Source;
use crate::mask::is_gray;

/// Colors of a picture; what is behind them is opacity.
const COLORS: usize = 3;
/// Thickness of a picture, in voxels: so large that slices are never mixed. With 999, which v2 gives to images of two axes,
/// the file would have two axes, and version 1 reads three.
const THICKNESS: f64 = 1000.0;

/// What all images of a data set have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Pictures with colors have three channels; all are gray otherwise, and have one.
    pub(crate) has_colors: bool,
}

/// Whether a source is a picture with colors. Pictures that are stored with colors, but have only grays, are not.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(crate) fn has_colors(source: &Source) -> Result<bool> {
    let Source::File(path) = source else { return Ok(false) };
    if is_nifti(path) || images::read_geometry(path)?.size[2] != 1 {
        return Ok(false);
    }
    let channels = images::read_channels(path)?;
    Ok(channels.dim().0 > 1 && !is_gray(&channels))
}

/// The grid of a source.
///
/// # Errors
/// Returns an error if the source cannot be read.
pub(crate) fn geometry(source: &Source) -> Result<Geometry> {
    match source {
        Source::File(path) => images::read_geometry(path),
        Source::Series(series) => Ok(series.geometry.clone()?),
    }
}

/// Reads all voxels of a source.
///
/// # Errors
/// Returns an error if that fails.
pub(crate) fn check(source: &Source) -> Result<()> {
    match source {
        Source::File(path) if is_nifti(path) => Ok(nifti::check(path)?),
        Source::File(path) => images::read_channels(path).map(drop),
        Source::Series(series) => Ok(nnunet_dicom::read(series).map(drop)?),
    }
}

/// Writes the channels of a source, the first as `to(0)`; returns how many there are.
///
/// # Errors
/// Returns an error if the source cannot be read, or an I/O error.
pub(crate) fn write(source: &Source, form: Form, to: impl Fn(usize) -> PathBuf) -> Result<usize> {
    match source {
        // Type and scale of the voxels stay as they are; a fourth axis has channels.
        Source::File(path) if is_nifti(path) => Ok(nifti::split(path, to)?),
        Source::File(path) => {
            let geometry = images::read_geometry(path)?;
            if geometry.size[2] == 1 {
                return write_channels(&images::read_channels(path)?, &geometry, form, to);
            }
            let image = images::read(path)?;
            nifti::write_image(&to(0), image.data.view(), &image.geometry)?;
            Ok(1)
        }
        Source::Series(series) => {
            let volume = nnunet_dicom::read(series)?;
            nifti::write_image(&to(0), volume.data.view(), &volume.geometry)?;
            Ok(1)
        }
    }
}

fn write_channels(
    channels: &Array4<f32>,
    geometry: &Geometry,
    form: Form,
    to: impl Fn(usize) -> PathBuf,
) -> Result<usize> {
    let count = if form.has_colors { COLORS } else { 1 };
    let [x, y, _] = geometry.spacing;
    let geometry = Geometry { spacing: [x, y, THICKNESS * x.max(y)], ..*geometry };
    for channel in 0..count {
        // Gray pictures among others with colors have the same value in all channels.
        let from = channel.min(channels.dim().0 - 1);
        nifti::write_image(&to(channel), channels.slice(s![from, .., .., ..]), &geometry)?;
    }
    Ok(count)
}

fn is_nifti(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.ends_with(".nii.gz") || name.ends_with(".nii")
}
