//! The voxels of a series.

use dicom_object::open_file;
use dicom_pixeldata::{ConvertOptions, ModalityLutOption, PixelDecoder};
use ndarray::Array3;
use nnunet_formats::Geometry;

use crate::Result;
use crate::series::Series;
use crate::slice::failed;

/// A series as a volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Values after the rescale, (z, y, x).
    pub data: Array3<f32>,
    /// Where the voxels lie.
    pub geometry: Geometry,
}

/// Reads the voxels of a series.
///
/// # Errors
/// Returns the error of a series that is not a grid, or an error that names the file that cannot be decoded.
pub fn read(series: &Series) -> Result<Volume> {
    let geometry = series.geometry.clone()?;
    let [columns, rows, _] = geometry.size;
    let options = ConvertOptions::new().with_modality_lut(ModalityLutOption::Default);
    // Not allocated ahead: a damaged header may claim any size.
    let mut voxels: Vec<f32> = Vec::new();
    for file in &series.files {
        let object = open_file(file).map_err(|error| failed(file, error.to_string()))?;
        let decoded =
            object.decode_pixel_data().and_then(|pixels| pixels.to_vec_with_options::<f32>(&options));
        let values = decoded.map_err(|error| failed(file, undecodable(&error)))?;
        if values.len() != rows * columns {
            return Err(failed(
                file,
                format!("it has {} voxels instead of {rows} x {columns}", values.len()),
            ));
        }
        voxels.extend(values);
    }
    let data = Array3::from_shape_vec(geometry.size_zyx(), voxels);
    let data = data.map_err(|error| failed(&series.folder, error.to_string()))?;
    Ok(Volume { data, geometry })
}

fn undecodable(error: &dyn std::fmt::Display) -> String {
    format!(
        "its pixels cannot be decoded ({error}); decompress it first, for example with dcmdjpeg or dcm2niix"
    )
}
