//! Writing, through the crate `nifti`: compressed if the name ends with `.gz`, two files if it ends with `.hdr` or
//! `.img`; qform and sform are both set, as SimpleITK does.

use std::path::Path;

use flate2::Compression;
use ndarray::{ArrayView3, Axis};
use nifti::writer::WriterOptions;
use nifti::{DataElement, NiftiError, NiftiHeader};

use super::header::LONGEST_AXIS;
use super::{Geometry, Pair, geometry};
use crate::voxels::LEVEL;
use crate::{Error, Result, atomic};

/// Millimeters and seconds.
const UNITS: u8 = 10;
/// Scanner coordinates.
const SCANNER: i16 = 1;

/// Writes labels of (z, y, x) as uint8.
///
/// # Errors
/// Returns an error if the shape is not the geometry's, an axis is too long for NIfTI-1, or the file cannot be written.
pub fn write_labels(path: &Path, labels: ArrayView3<'_, u8>, geometry: &Geometry) -> Result<()> {
    write(path, labels, geometry)
}

/// Writes labels of (z, y, x) as uint16.
///
/// # Errors
/// As [`write_labels`].
pub fn write_wide_labels(path: &Path, labels: ArrayView3<'_, u16>, geometry: &Geometry) -> Result<()> {
    write(path, labels, geometry)
}

/// Writes an image of (z, y, x) as float32.
///
/// # Errors
/// As [`write_labels`].
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    write(path, image, geometry)
}

/// Writes an image of (z, y, x) as int16, which is what CT scanners store.
///
/// # Errors
/// As [`write_labels`].
pub fn write_i16(path: &Path, image: ArrayView3<'_, i16>, geometry: &Geometry) -> Result<()> {
    write(path, image, geometry)
}

fn write<T: Voxel>(path: &Path, voxels: ArrayView3<'_, T>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, voxels.shape())?;
    if let Some(axis) = geometry.size.iter().position(|len| *len > LONGEST_AXIS) {
        return Err(Error::invalid(
            path,
            format!(
                "axis {axis} has {} voxels and NIfTI-1 holds at most {LONGEST_AXIS}; use another format (.nrrd, .mha)",
                geometry.size[axis]
            ),
        ));
    }
    let header = header(geometry);
    // The crate decides by the temporary file's name how it writes: one file, compressed or not, or a pair.
    let write = |temporary: &Path, zipped: bool| {
        let options = WriterOptions::new(temporary).reference_header(&header);
        let options = if zipped { options.compression_level(Compression::new(LEVEL)) } else { options };
        let written = if geometry.axes() == 2 {
            options.write_nifti(&voxels.index_axis(Axis(0), 0).reversed_axes())
        } else {
            options.write_nifti(&voxels.reversed_axes())
        };
        written.map_err(|error| match error {
            NiftiError::Io(cause) => Error::io(path, cause),
            other => Error::invalid(path, other),
        })
    };
    if let Some(Pair { header, voxels }) = Pair::of(path) {
        return atomic::replace_two(&voxels, &header, |folder| {
            let written = Pair { header: folder.join("image.hdr"), voxels: folder.join("image.img") };
            write(&written.header, false)?;
            Ok([written.voxels, written.header])
        });
    }
    // SimpleITK goes by the name, and reads no compressed `.nii`.
    let zipped = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    atomic::replace_as(path, if zipped { ".nii.gz" } else { ".nii" }, |temporary| write(temporary, zipped))
}

/// What the crate writes.
trait Voxel: DataElement + bytemuck::Pod {}

impl<T: DataElement + bytemuck::Pod> Voxel for T {}

fn header(geometry: &Geometry) -> NiftiHeader {
    let (quaternion, turn, srow) = geometry::to_header(geometry);
    let mut pixdim = [1.0; 8];
    pixdim[0] = turn as f32;
    (0..geometry.axes()).for_each(|axis| pixdim[axis + 1] = geometry.spacing[axis] as f32);
    let [quatern_b, quatern_c, quatern_d] = quaternion.map(|part| part as f32);
    let [srow_x, srow_y, srow_z] = srow.map(|row| row.map(|part| part as f32));
    NiftiHeader {
        regular: b'r',
        pixdim,
        xyzt_units: UNITS,
        qform_code: SCANNER,
        sform_code: SCANNER,
        quatern_b,
        quatern_c,
        quatern_d,
        quatern_x: srow_x[3],
        quatern_y: srow_y[3],
        quatern_z: srow_z[3],
        srow_x,
        srow_y,
        srow_z,
        ..NiftiHeader::default()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::nifti::read;

    #[test]
    fn an_image_comes_back_with_its_geometry() {
        let folder = tempfile::tempdir().unwrap();
        let image = Array3::from_shape_fn((4, 3, 2), |(z, y, x)| (z * 100 + y * 10 + x) as f32 + 0.5);
        let geometry = Geometry {
            size: [2, 3, 4],
            spacing: [0.5, 1.25, 3.0],
            origin: [-10.0, 20.5, 7.0],
            direction: [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        };
        for (name, start) in [("a.nii.gz", [0x1f, 0x8b]), ("a.nii", [0x5c, 0x01])] {
            let path = folder.path().join(name);
            write_image(&path, image.view(), &geometry).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(&start), "{name}");
            let back = read(&path).unwrap();
            assert_eq!(back.data, image);
            assert_eq!(back.geometry.spacing, geometry.spacing);
            let mut cosines = back.geometry.direction.iter().zip(geometry.direction);
            assert!(cosines.all(|(a, b)| (a - b).abs() < 1e-6));
            assert_eq!(back.geometry.origin, geometry.origin);
        }
    }

    #[test]
    fn damaged_files_are_errors_that_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.nii.gz");
        std::fs::write(&path, b"not gzip at all").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("bad.nii.gz: not a readable NIfTI image"));
        let geometry = Geometry {
            size: [2, 2, 2],
            spacing: [1.0; 3],
            origin: [0.0; 3],
            direction: [1., 0., 0., 0., 1., 0., 0., 0., 1.],
        };
        let plain = folder.path().join("plain.nii");
        write_labels(&plain, Array3::zeros((2, 2, 2)).view(), &geometry).unwrap();
        let bytes = std::fs::read(&plain).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("truncated: 5 bytes of voxels instead of 8"));
    }

    #[test]
    fn a_slice_of_two_axes_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii.gz");
        let geometry = Geometry {
            size: [3, 2, 1],
            spacing: [0.5, 2.0, 1.0],
            origin: [1.0, -2.0, 0.0],
            direction: [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        };
        let geometry = geometry.slice().unwrap();
        write_labels(
            &path,
            Array3::from_shape_fn((1, 2, 3), |(_, y, x)| (3 * y + x) as u8).view(),
            &geometry,
        )
        .unwrap();
        let header = NiftiHeader::from_file(&path).unwrap();
        assert_eq!((header.dim, header.datatype), ([2, 3, 2, 1, 1, 1, 1, 1], 2));
        let back = read(&path).unwrap();
        assert_eq!(back.geometry, geometry);
        assert_eq!(back.data.iter().copied().collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn an_axis_that_is_too_long_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii");
        let geometry = Geometry::plain([40_000, 1, 1], [1.0; 3]);
        let error = write_labels(&path, Array3::zeros((1, 1, 40_000)).view(), &geometry).unwrap_err();
        assert!(error.to_string().contains("axis 0 has 40000 voxels"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
