//! Splits an image with a fourth axis into several images. The bytes of header and voxels are copied, so that type and
//! scale stay exactly as they are; the crate `nifti` would rewrite both.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::FORMAT;
use super::header::{HEADER, Header, set_offset, volumes};
use super::pair::PAIR_IN_ONE_FILE;
use super::read::{header_bytes, skip};
use crate::input::{maybe_gzip, verify_end};
use crate::voxels::{LEVEL, unreadable};
use crate::{Error, Result, atomic};

/// Voxels begin here: header and an empty extension mark.
const OFFSET: usize = HEADER + 4;

/// Writes volume `i` of an image of three or four axes to `to(i)`; returns how many there are. One volume is in memory.
///
/// # Errors
/// Returns an error if the file is not a NIfTI-1 image, is truncated, or has fewer or more axes, or if a file cannot be
/// written.
pub fn split(path: &Path, to: impl Fn(usize) -> PathBuf) -> Result<usize> {
    for_each_volume(path, |volume, header, voxels| write(&to(volume), header, voxels))
}

/// Reads an image of three or four axes to its end.
///
/// # Errors
/// As [`split`].
pub fn check(path: &Path) -> Result<()> {
    for_each_volume(path, |_, _, _| Ok(())).map(drop)
}

/// Gives the number, the header and the voxels of each volume to `body`; returns how many there are.
fn for_each_volume(
    path: &Path,
    mut body: impl FnMut(usize, &[u8; HEADER], &[u8]) -> Result<()>,
) -> Result<usize> {
    let invalid = |message: String| Error::invalid(path, message);
    let (mut stream, compressed) = maybe_gzip(path)?;
    let mut bytes = header_bytes(path, &mut stream)?;
    let count = volumes(&mut bytes).map_err(invalid)?;
    let header = Header::parse(&bytes).map_err(invalid)?;
    if header.is_pair() {
        return Err(invalid(PAIR_IN_ONE_FILE.to_owned()));
    }
    let len = header.data_len().ok_or_else(|| invalid("its voxels would not fit into memory".to_owned()))?;
    skip(path, &mut stream, header.offset() - HEADER)?;
    set_offset(&mut bytes, OFFSET as f32, header.big_endian());
    for volume in 0..count {
        let mut voxels = Vec::new();
        let part = stream.by_ref().take(len as u64).read_to_end(&mut voxels);
        part.map_err(|source| unreadable(path, FORMAT, source))?;
        if voxels.len() < len {
            return Err(invalid(format!(
                "truncated: volume {volume} of {count} is not whole; copy it again"
            )));
        }
        body(volume, &bytes, &voxels)?;
    }
    if compressed {
        verify_end(&mut stream).map_err(|source| unreadable(path, FORMAT, source))?;
    }
    Ok(count)
}

fn write(path: &Path, header: &[u8; HEADER], voxels: &[u8]) -> Result<()> {
    atomic::write(path, |out| {
        let mut out = GzEncoder::new(out, Compression::new(LEVEL));
        out.write_all(header)?;
        out.write_all(&[0; OFFSET - HEADER])?;
        out.write_all(voxels)?;
        out.finish().map(|_| ())
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::nifti::{Geometry, read, write_image};

    /// An image of (2, 3, 4) voxels and three volumes, claiming `claimed`.
    fn four_axes(folder: &Path, claimed: i16) -> PathBuf {
        let geometry = Geometry {
            size: [2, 3, 4],
            spacing: [0.5, 1.0, 2.0],
            origin: [3.0, -4.0, 5.0],
            direction: [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        };
        let path = folder.join("a.nii.gz");
        write_image(&path, Array3::zeros((4, 3, 2)).view(), &geometry).unwrap();
        let mut bytes = Vec::new();
        maybe_gzip(&path).unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes.truncate(OFFSET);
        bytes[40..42].copy_from_slice(&4_i16.to_le_bytes());
        bytes[48..50].copy_from_slice(&claimed.to_le_bytes());
        for volume in 0..3_u8 {
            (0..24_u8).for_each(|i| bytes.extend(f32::from(volume * 24 + i).to_le_bytes()));
        }
        let path = folder.join("four.nii");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn volumes_come_out_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = four_axes(folder.path(), 3);
        let to = |i: usize| folder.path().join(format!("b_{i:04}.nii.gz"));
        assert_eq!(split(&path, to).unwrap(), 3);
        for volume in 0..3 {
            let image = read(&to(volume)).unwrap();
            assert_eq!(image.data[[3, 2, 1]], (volume * 24 + 23) as f32);
            assert_eq!(image.geometry.spacing, [0.5, 1.0, 2.0]);
            assert_eq!(image.geometry.origin, [3.0, -4.0, 5.0]);
        }
        // An image of three axes comes out as it is.
        assert_eq!(split(&to(2), |i| folder.path().join(format!("c_{i:04}.nii.gz"))).unwrap(), 1);
        assert_eq!(read(&folder.path().join("c_0000.nii.gz")).unwrap().data, read(&to(2)).unwrap().data);
    }

    #[test]
    fn volumes_that_are_not_there_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = four_axes(folder.path(), i16::MAX);
        let error = split(&path, |i| folder.path().join(format!("{i}.nii.gz"))).unwrap_err();
        assert!(error.to_string().contains("truncated: volume 3 of 32767"), "{error}");
    }
}
