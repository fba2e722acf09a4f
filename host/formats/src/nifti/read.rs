//! Reading.

use std::io::Read;
use std::path::Path;

use super::header::{HEADER, Header};
use super::pair::{PAIR_IN_ONE_FILE, Pair};
use super::{FORMAT, Geometry, Image, geometry};
use crate::input::maybe_gzip;
use crate::voxels::{NotFinite, Stored, unreadable};
use crate::{Error, Result};

/// Reads an image as float32, as ITK does: numbers that are not finite become zero, then slope and intercept are
/// applied.
///
/// # Errors
/// Returns an error if the file is not a NIfTI-1 image, is truncated or damaged, or has an unsupported voxel type.
pub fn read(path: &Path) -> Result<Image> {
    open(path, NotFinite::Zero)?.read(path)
}

/// As [`read`], but numbers that are not finite stay, as in nibabel.
///
/// # Errors
/// As [`read`].
pub fn read_keeping_nan(path: &Path) -> Result<Image> {
    open(path, NotFinite::Keep)?.read(path)
}

/// Gives every slice (number, voxels in the order y, x) of an image to `body`, as [`read`] would read them. One slice
/// is in memory.
///
/// # Errors
/// As [`read`].
pub fn for_each_slice(path: &Path, body: impl FnMut(usize, &[f32])) -> Result<Geometry> {
    let stored = open(path, NotFinite::Zero)?;
    let geometry = stored.geometry;
    stored.for_each_slice(path, body)?;
    Ok(geometry)
}

/// Reads size, spacing, origin and direction only.
///
/// # Errors
/// Returns an error if the file is not a NIfTI-1 image.
pub fn read_geometry(path: &Path) -> Result<Geometry> {
    let pair = Pair::of(path);
    let named = pair.as_ref().map_or(path, |pair| &pair.header);
    let (mut stream, _) = maybe_gzip(named)?;
    geometry_of(named, &read_header(named, &mut stream)?)
}

fn open(path: &Path, not_finite: NotFinite) -> Result<Stored<Box<dyn Read>>> {
    let pair = Pair::of(path);
    let named = pair.as_ref().map_or(path, |pair| &pair.header);
    let (mut stream, mut compressed) = maybe_gzip(named)?;
    let header = read_header(named, &mut stream)?;
    let geometry = geometry_of(named, &header)?;
    match pair {
        Some(pair) => {
            (stream, compressed) = maybe_gzip(&pair.existing_voxels())?;
            skip(path, &mut stream, header.offset())?;
        }
        None => skip(path, &mut stream, header.offset() - HEADER)?,
    }
    let (kind, big_endian, scale) = (header.kind, header.big_endian(), header.scale());
    Ok(Stored { geometry, kind, big_endian, stream, format: FORMAT, scale, not_finite, compressed })
}

fn geometry_of(path: &Path, header: &Header) -> Result<Geometry> {
    geometry::from_header(header).map_err(|message| Error::invalid(path, message))
}

fn read_header(path: &Path, stream: &mut dyn Read) -> Result<Header> {
    let header = Header::parse(&header_bytes(path, stream)?);
    let header = header.map_err(|message| Error::invalid(path, message))?;
    match (header.is_pair(), Pair::of(path).is_some()) {
        (true, false) => Err(Error::invalid(path, PAIR_IN_ONE_FILE)),
        (false, true) => {
            Err(Error::invalid(path, "it is a single-file image (magic n+1); rename it to .nii"))
        }
        _ => Ok(header),
    }
}

pub(super) fn header_bytes(path: &Path, stream: &mut dyn Read) -> Result<[u8; HEADER]> {
    let mut bytes = [0; HEADER];
    stream.read_exact(&mut bytes).map_err(|source| unreadable(path, FORMAT, source))?;
    Ok(bytes)
}

pub(super) fn skip(path: &Path, stream: &mut dyn Read, n: usize) -> Result<()> {
    std::io::copy(&mut stream.take(n as u64), &mut std::io::sink())
        .map_err(|source| unreadable(path, FORMAT, source))?;
    Ok(())
}
