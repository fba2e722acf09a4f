//! Reading.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use ndarray::Array3;

use super::header::{HEADER, Header, Kind};
use super::{Geometry, Image, geometry};
use crate::{Error, Result};

/// Reads an image as float32; slope and intercept are applied when they say something.
///
/// # Errors
/// A file that is no NIfTI-1 image, is truncated, or has an unsupported voxel type.
pub fn read(path: &Path) -> Result<Image> {
    // Not allocated ahead: a small hostile file may claim any size.
    let mut values = Vec::new();
    let geometry = for_each_slice(path, |_, slice| values.extend_from_slice(slice))?;
    let [x, y, z] = geometry.size;
    let data = Array3::from_shape_vec((z, y, x), values).map_err(|error| Error::invalid(path, error))?;
    Ok(Image { data, geometry })
}

/// Gives every slice (number, voxels in the order y, x) of an image to `body`, as [`read`] would read them. One slice is
/// in memory.
///
/// # Errors
/// As [`read`].
pub fn for_each_slice(path: &Path, mut body: impl FnMut(usize, &[f32])) -> Result<Geometry> {
    let mut stream = open(path)?;
    let header = read_header(path, &mut stream)?;
    let wanted =
        header.data_len().ok_or_else(|| Error::invalid(path, "its voxels would not fit into memory"))?;
    skip(path, &mut stream, header.offset - HEADER)?;
    let [_, _, slices] = header.size;
    let (slope, intercept) = (header.slope, header.intercept);
    let scaled = slope != 0.0 && slope.is_finite() && (slope != 1.0 || intercept != 0.0);
    let mut bytes = Vec::new();
    for z in 0..slices {
        bytes.clear();
        let slice = stream.by_ref().take((wanted / slices) as u64).read_to_end(&mut bytes);
        slice.map_err(|source| unreadable(path, &source))?;
        if bytes.len() < wanted / slices {
            let got = z * (wanted / slices) + bytes.len();
            return Err(Error::invalid(
                path,
                format!("truncated: {got} bytes of voxels instead of {wanted}; copy it again"),
            ));
        }
        let mut values = convert(&bytes, header.kind, header.big_endian);
        if scaled {
            values.iter_mut().for_each(|value| *value = *value * slope + intercept);
        }
        body(z, &values);
    }
    geometry_of(path, &header)
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
    stream.read_exact(&mut bytes).map_err(|source| unreadable(path, &source))?;
    Header::parse(&bytes).map_err(|message| Error::invalid(path, message))
}

pub(super) fn skip(path: &Path, stream: &mut dyn Read, n: usize) -> Result<()> {
    std::io::copy(&mut stream.take(n as u64), &mut std::io::sink())
        .map_err(|source| unreadable(path, &source))?;
    Ok(())
}

pub(super) fn unreadable(path: &Path, source: &std::io::Error) -> Error {
    Error::invalid(path, format!("not a readable NIfTI image ({source}); copy it again"))
}

fn convert(bytes: &[u8], kind: Kind, big: bool) -> Vec<f32> {
    macro_rules! each {
        ($type:ty) => {
            bytes
                .as_chunks::<{ size_of::<$type>() }>()
                .0
                .iter()
                .map(|b| if big { <$type>::from_be_bytes(*b) } else { <$type>::from_le_bytes(*b) } as f32)
                .collect()
        };
    }
    match kind {
        Kind::U8 => each!(u8),
        Kind::I8 => each!(i8),
        Kind::I16 => each!(i16),
        Kind::U16 => each!(u16),
        Kind::I32 => each!(i32),
        Kind::U32 => each!(u32),
        Kind::I64 => each!(i64),
        Kind::U64 => each!(u64),
        Kind::F32 => each!(f32),
        Kind::F64 => each!(f64),
    }
}
