//! Reading.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::header::{HEADER, Header};
use super::{FORMAT, Geometry, Image, geometry};
use crate::voxels::{Stored, unreadable};
use crate::{Error, Result};

/// Reads an image as float32; slope and intercept are applied when they say something.
///
/// # Errors
/// A file that is no NIfTI-1 image, is truncated, or has an unsupported voxel type.
pub fn read(path: &Path) -> Result<Image> {
    // Not allocated ahead: a small hostile file may claim any size.
    let mut values = Vec::new();
    let geometry = for_each_slice(path, |_, slice| values.extend_from_slice(slice))?;
    Image::new(path, geometry, values)
}

/// Gives every slice (number, voxels in the order y, x) of an image to `body`, as [`read`] would read them. One slice is
/// in memory.
///
/// # Errors
/// As [`read`].
pub fn for_each_slice(path: &Path, mut body: impl FnMut(usize, &[f32])) -> Result<Geometry> {
    let mut stream = open(path)?;
    let header = read_header(path, &mut stream)?;
    let geometry = geometry_of(path, &header)?;
    skip(path, &mut stream, header.offset - HEADER)?;
    let (slope, intercept) = (header.slope, header.intercept);
    let scaled = slope != 0.0 && slope.is_finite() && (slope != 1.0 || intercept != 0.0);
    let (kind, big_endian) = (header.kind, header.big_endian);
    Stored { geometry, kind, big_endian, stream, format: FORMAT }.for_each_slice(path, |z, values| {
        if scaled {
            values.iter_mut().for_each(|value| *value = *value * slope + intercept);
        }
        body(z, values);
    })?;
    Ok(geometry)
}

/// Reads size, spacing, origin and direction only.
///
/// # Errors
/// A file that is no NIfTI-1 image.
pub fn read_geometry(path: &Path) -> Result<Geometry> {
    geometry_of(path, &read_header(path, &mut open(path)?)?)
}

fn geometry_of(path: &Path, header: &Header) -> Result<Geometry> {
    geometry::from_header(header).map_err(|message| Error::invalid(path, message))
}

pub(super) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let mut file =
        BufReader::with_capacity(1 << 18, File::open(path).map_err(|source| Error::io(path, source))?);
    let zipped = std::io::BufRead::fill_buf(&mut file)
        .map_err(|source| Error::io(path, source))?
        .starts_with(&[0x1f, 0x8b]);
    Ok(if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

fn read_header(path: &Path, stream: &mut dyn Read) -> Result<Header> {
    let mut bytes = [0; HEADER];
    stream.read_exact(&mut bytes).map_err(|source| unreadable(path, FORMAT, source))?;
    Header::parse(&bytes).map_err(|message| Error::invalid(path, message))
}

pub(super) fn skip(path: &Path, stream: &mut dyn Read, n: usize) -> Result<()> {
    std::io::copy(&mut stream.take(n as u64), &mut std::io::sink())
        .map_err(|source| unreadable(path, FORMAT, source))?;
    Ok(())
}
