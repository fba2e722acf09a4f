//! MetaImages (`.mha`): lines of `Key = Value`, then the voxels, as SimpleITK reads and writes them.

use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;
use ndarray::ArrayView3;

use crate::input::buffered;
use crate::text_header::{TextHeader, numbers};
use crate::voxels::{self, Kind, LEVEL, NotFinite, Stored, unreadable};
use crate::{Error, Geometry, Image, Result, atomic};

const FORMAT: &str = "MetaImage";

/// Reads an image as float32. A slice of two axes becomes a volume of one slice, with v2's thickness.
///
/// # Errors
/// Returns an error if the file is not a MetaImage with its voxels in it, is truncated, or has several values a voxel.
pub fn read(path: &Path) -> Result<Image> {
    open(path)?.read(path)
}

/// Reads size, spacing, origin and direction only.
///
/// # Errors
/// As [`read`].
pub fn read_geometry(path: &Path) -> Result<Geometry> {
    Ok(open(path)?.geometry)
}

/// Writes labels of (z, y, x) as uint8.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_labels(path: &Path, labels: ArrayView3<'_, u8>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, labels.shape())?;
    write(path, geometry, "MET_UCHAR", |out| voxels::write_labels(out, labels))
}

/// Writes labels of (z, y, x) as uint16.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_wide_labels(path: &Path, labels: ArrayView3<'_, u16>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, labels.shape())?;
    write(path, geometry, "MET_USHORT", |out| voxels::write_wide_labels(out, labels))
}

/// Writes an image of (z, y, x) as float32.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, image.shape())?;
    write(path, geometry, "MET_FLOAT", |out| crate::npy::write_f32(out, image.iter().copied()))
}

fn open(path: &Path) -> Result<Stored<Box<dyn Read>>> {
    let mut file = buffered(path)?;
    let header = TextHeader::read(&mut file, "=", |line| line.starts_with("ElementDataFile"))
        .map_err(|why| unreadable(path, FORMAT, why))?;
    let parsed =
        check(&header).and_then(|()| Ok((geometry(&header)?, kind(header.require(&["ElementType"])?)?)));
    let (geometry, kind) = parsed.map_err(|message| Error::invalid(path, message))?;
    let compressed = is_true(&header, &["CompressedData"]);
    let stream: Box<dyn Read> = if compressed { Box::new(ZlibDecoder::new(file)) } else { Box::new(file) };
    let big_endian = is_true(&header, &["BinaryDataByteOrderMSB", "ElementByteOrderMSB"]);
    let (scale, not_finite) = (None, NotFinite::Keep);
    Ok(Stored { geometry, kind, big_endian, stream, format: FORMAT, scale, not_finite, compressed })
}

fn is_true(header: &TextHeader, names: &[&str]) -> bool {
    header.get(names).is_some_and(|value| value.starts_with(['T', 't', '1']))
}

/// Refuses variants of the format that are not supported.
fn check(header: &TextHeader) -> Result<(), String> {
    let file = header.require(&["ElementDataFile"])?;
    let is_absent_or = |name: &str, default: &str| header.get(&[name]).is_none_or(|value| value == default);
    if !file.eq_ignore_ascii_case("LOCAL") {
        Err(format!("its voxels are in another file, {file}; save it again as one file"))
    } else if !is_absent_or("ElementNumberOfChannels", "1") {
        Err("it has several values for a voxel; save one file for each".to_owned())
    } else if header.get(&["BinaryData"]).is_some() && !is_true(header, &["BinaryData"]) {
        Err("its voxels are written as text; save it again with binary voxels".to_owned())
    } else if !is_absent_or("HeaderSize", "0") {
        Err("its voxels begin at a separate offset (HeaderSize); save it again".to_owned())
    } else {
        Ok(())
    }
}

fn geometry(header: &TextHeader) -> Result<Geometry, String> {
    let size: Vec<usize> = numbers(header.require(&["DimSize"])?)?;
    let list = |names: &[&str]| header.get(names).map(numbers::<f64>).transpose();
    let spacing = list(&["ElementSpacing", "ElementSize"])?;
    let origin = list(&["Origin", "Position", "Offset"])?;
    let axes = list(&["TransformMatrix", "Rotation", "Orientation"])?;
    Geometry::from_axes(&size, spacing, origin, axes)
}

fn kind(name: &str) -> Result<Kind, String> {
    Ok(match name {
        "MET_UCHAR" => Kind::U8,
        "MET_CHAR" => Kind::I8,
        "MET_USHORT" => Kind::U16,
        "MET_SHORT" => Kind::I16,
        // Long ones have four bytes whatever the machine.
        "MET_UINT" | "MET_ULONG" => Kind::U32,
        "MET_INT" | "MET_LONG" => Kind::I32,
        "MET_ULONG_LONG" => Kind::U64,
        "MET_LONG_LONG" => Kind::I64,
        "MET_FLOAT" => Kind::F32,
        "MET_DOUBLE" => Kind::F64,
        _ => return Err(format!("voxels of type {name} are not read; save it again with numbers")),
    })
}

fn write(
    path: &Path,
    geometry: &Geometry,
    kind: &str,
    voxels: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    atomic::write(path, |out| {
        // The header says how long the voxels are.
        let mut zipped = ZlibEncoder::new(Vec::new(), Compression::new(LEVEL));
        voxels(&mut zipped)?;
        let zipped = zipped.finish()?;
        out.write_all(header(geometry, kind, zipped.len()).as_bytes())?;
        out.write_all(&zipped)
    })
}

fn header(geometry: &Geometry, kind: &str, bytes: usize) -> String {
    let n = geometry.axes();
    let words = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let size: Vec<String> = geometry.size[..n].iter().map(usize::to_string).collect();
    let axes: Vec<f64> = (0..n).flat_map(|axis| geometry.axis(axis)).collect();
    format!(
        "ObjectType = Image\nNDims = {n}\nBinaryData = True\nBinaryDataByteOrderMSB = False\n\
         CompressedData = True\nCompressedDataSize = {bytes}\nTransformMatrix = {}\nOffset = {}\n\
         ElementSpacing = {}\nDimSize = {}\nElementType = {kind}\nElementDataFile = LOCAL\n",
        words(&axes),
        words(&geometry.origin[..n]),
        words(&geometry.spacing[..n]),
        size.join(" "),
    )
}
