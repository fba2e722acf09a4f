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
        let values =
            decoded.map_err(|error| failed(file, undecodable(&error, object.meta().transfer_syntax())))?;
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

/// What to do about pixels that cannot be decoded, which depends on how they are stored.
fn undecodable(error: &dyn std::fmt::Display, syntax: &str) -> String {
    let syntax = syntax.trim_end_matches('\0');
    let remedy = if UNCOMPRESSED.contains(&syntax) {
        "the file is not compressed: it may be cut off, then copy or export it again; or convert it to NIfTI, for example \
         with dcm2niix"
    } else if let Some((_, name)) = UNREAD.iter().find(|(start, _)| syntax.starts_with(start)) {
        return format!(
            "it is compressed as {name}, which is not read; decompress it first, for example with gdcmconv --raw or \
             dcm2niix"
        );
    } else {
        "decompress it first, for example with dcmdjpeg or gdcmconv --raw, or convert it with dcm2niix"
    };
    format!("its pixels cannot be decoded ({error}); {remedy}")
}

/// Transfer syntaxes without compression of pixels.
const UNCOMPRESSED: [&str; 4] =
    ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"];
/// Beginnings of transfer syntaxes with compressions that are not decoded.
const UNREAD: [(&str, &str); 4] = [
    ("1.2.840.10008.1.2.4.8", "JPEG-LS"),
    ("1.2.840.10008.1.2.4.9", "JPEG 2000"),
    ("1.2.840.10008.1.2.4.20", "High-Throughput JPEG 2000"),
    ("1.2.840.10008.1.2.4.11", "JPEG XL"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_fits_the_compression() {
        let text = |syntax: &str| undecodable(&"reason", syntax);
        assert!(text("1.2.840.10008.1.2.1\0").contains("(reason); the file is not compressed"));
        assert!(text("1.2.840.10008.1.2.4.90").starts_with("it is compressed as JPEG 2000"));
        assert!(text("1.2.840.10008.1.2.4.80").starts_with("it is compressed as JPEG-LS"));
        assert!(text("1.2.840.10008.1.2.4.70").contains("dcmdjpeg"));
    }
}
