//! Writing: gzip where the name ends so, qform and sform both set, as SimpleITK does.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::ArrayView3;

use super::header::HEADER;
use super::{Geometry, geometry};
use crate::voxels::{self, LEVEL};
use crate::{Result, atomic};

/// Voxels begin here: header and an empty extension mark.
pub(super) const OFFSET: usize = HEADER + 4;

/// Writes labels of (z, y, x) as uint8.
///
/// # Errors
/// A shape that is not the geometry's; what the system says.
pub fn write_labels(path: &Path, labels: ArrayView3<'_, u8>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, labels.shape())?;
    write(path, geometry, (2, 8), |out| voxels::write_labels(out, labels))
}

/// Writes an image of (z, y, x) as float32.
///
/// # Errors
/// A shape that is not the geometry's; what the system says.
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, image.shape())?;
    write(path, geometry, (16, 32), |out| crate::npy::write_f32(out, image.iter().copied()))
}

fn write(
    path: &Path,
    geometry: &Geometry,
    kind: (i16, i16),
    voxels: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let all = |out: &mut dyn Write| {
        out.write_all(&header_bytes(geometry, kind))?;
        voxels(out)
    };
    atomic::write(path, |out| {
        // SimpleITK goes by the name, and reads no zipped `.nii`.
        if path.extension().is_none_or(|ending| ending != "gz") {
            return all(out);
        }
        let mut out = GzEncoder::new(out, Compression::new(LEVEL));
        all(&mut out)?;
        out.finish().map(|_| ())
    })
}

fn header_bytes(geometry: &Geometry, (code, bits): (i16, i16)) -> [u8; OFFSET] {
    let (quaternion, turn, srow) = geometry::to_header(geometry);
    let mut header = [0; OFFSET];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(HEADER as i32).to_le_bytes());
    put(38, b"r");
    put(40, &3_i16.to_le_bytes());
    for axis in 0..7 {
        put(42 + 2 * axis, &(geometry.size.get(axis).map_or(1, |len| *len as i16)).to_le_bytes());
    }
    put(70, &code.to_le_bytes());
    put(72, &bits.to_le_bytes());
    put(76, &(turn as f32).to_le_bytes());
    (0..3).for_each(|axis| put(80 + 4 * axis, &(geometry.spacing[axis] as f32).to_le_bytes()));
    put(108, &(OFFSET as f32).to_le_bytes());
    put(112, &1_f32.to_le_bytes());
    // Units: millimetres and seconds. Codes: scanner coordinates.
    put(123, &[10]);
    put(252, &1_i16.to_le_bytes());
    put(254, &1_i16.to_le_bytes());
    for (i, row) in srow.iter().enumerate() {
        put(256 + 4 * i, &(quaternion[i] as f32).to_le_bytes());
        put(268 + 4 * i, &(row[3] as f32).to_le_bytes());
        row.iter()
            .enumerate()
            .for_each(|(j, value)| put(280 + 16 * i + 4 * j, &(*value as f32).to_le_bytes()));
    }
    put(344, b"n+1\0");
    header
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
        let mut bytes = header_bytes(&geometry, (2, 8)).to_vec();
        bytes.extend([0; 5]);
        std::fs::write(&path, bytes).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("truncated: 5 bytes of voxels instead of 8"));
    }
}
