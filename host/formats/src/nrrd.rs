//! NRRD images (`.nrrd`): lines of `field: value`, an empty line, then the voxels, as SimpleITK reads and writes them.

use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::ArrayView3;

use crate::input::{MultiGzip, buffered};
use crate::text_header::{TextHeader, numbers};
use crate::voxels::{self, Kind, LEVEL, NotFinite, Stored, unreadable};
use crate::{Error, Geometry, Image, Result, atomic};

const FORMAT: &str = "NRRD image";

/// Reads an image as float32. A slice of two axes becomes a volume of one slice, with v2's thickness.
///
/// # Errors
/// Returns an error if the file is not an NRRD image with its voxels in it, is truncated, or has several values a
/// voxel.
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
    write(path, geometry, "uint8", |out| voxels::write_labels(out, labels))
}

/// Writes labels of (z, y, x) as uint16.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_wide_labels(path: &Path, labels: ArrayView3<'_, u16>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, labels.shape())?;
    write(path, geometry, "uint16", |out| voxels::write_wide_labels(out, labels))
}

/// Writes an image of (z, y, x) as float32.
///
/// # Errors
/// Returns an error if the shape is not the geometry's or the file cannot be written.
pub fn write_image(path: &Path, image: ArrayView3<'_, f32>, geometry: &Geometry) -> Result<()> {
    geometry.check_shape(path, image.shape())?;
    write(path, geometry, "float", |out| crate::npy::write_f32(out, image.iter().copied()))
}

fn open(path: &Path) -> Result<Stored<Box<dyn Read>>> {
    let mut file = buffered(path)?;
    let mut magic = [0; 4];
    let is_nrrd = file.read_exact(&mut magic).is_ok() && &magic == b"NRRD";
    if !is_nrrd {
        return Err(unreadable(path, FORMAT, "it does not begin with NRRD"));
    }
    let header = TextHeader::read(&mut file, ": ", str::is_empty);
    let header = header.map_err(|why| unreadable(path, FORMAT, why))?;
    let parsed = check(&header).and_then(|()| {
        let kind = kind(header.require(&["type"])?)?;
        let big_endian = kind.size() > 1 && header.require(&["endian"])?.eq_ignore_ascii_case("big");
        Ok((geometry(&header)?, kind, big_endian, is_zipped(header.require(&["encoding"])?)?))
    });
    let (geometry, kind, big_endian, compressed) = parsed.map_err(|message| Error::invalid(path, message))?;
    let stream: Box<dyn Read> = if compressed { Box::new(MultiGzip::new(file)) } else { Box::new(file) };
    let (scale, not_finite) = (None, NotFinite::Keep);
    Ok(Stored { geometry, kind, big_endian, stream, format: FORMAT, scale, not_finite, compressed })
}

/// Refuses variants of the format that are not supported.
fn check(header: &TextHeader) -> Result<(), String> {
    let is_axis =
        |kind: &str| ["domain", "space", "time", "???", "none"].contains(&kind.to_lowercase().as_str());
    let kinds = header.get(&["kinds"]).unwrap_or_default();
    let skipped = [["line skip", "lineskip"], ["byte skip", "byteskip"]];
    if let Some(file) = header.get(&["data file", "datafile"]).filter(|file| *file != "LOCAL") {
        Err(format!("its voxels are in another file, {file}; save it again with an attached header"))
    } else if !kinds.split_whitespace().all(is_axis) {
        Err(format!("it has several values for a voxel (kinds {kinds}); save one file for each"))
    } else if skipped.iter().any(|names| header.get(names).is_some_and(|count| count != "0")) {
        Err("its voxels begin at a separate offset (line skip, byte skip); save it again".to_owned())
    } else if let Some(space) = header.get(&["space"]).filter(|space| !is_space(space)) {
        Err(format!("its space `{space}` is not one of three axes; save it again in left-posterior-superior"))
    } else if header.get(&["axis mins", "axismins"]).is_some() {
        Err("its position is given by axis (axis mins); save it again with a space origin".to_owned())
    } else {
        Ok(())
    }
}

/// Whether the format knows a space, and it has three axes.
fn is_space(name: &str) -> bool {
    let known =
        ["right-anterior-superior", "ras", "left-anterior-superior", "las", "left-posterior-superior", "lps"];
    let without_meaning = ["scanner-xyz", "3d-right-handed", "3d-left-handed"];
    known.iter().chain(&without_meaning).any(|known| name.eq_ignore_ascii_case(known))
}

fn is_zipped(encoding: &str) -> Result<bool, String> {
    match encoding.to_lowercase().as_str() {
        "raw" => Ok(false),
        "gzip" | "gz" => Ok(true),
        _ => Err(format!("its encoding {encoding} is not read; save it again as raw or gzip")),
    }
}

fn geometry(header: &TextHeader) -> Result<Geometry, String> {
    let size: Vec<usize> = numbers(header.require(&["sizes"])?)?;
    if numbers::<usize>(header.require(&["dimension"])?)? != [size.len()] {
        return Err(format!("it has sizes for {} axes and another dimension", size.len()));
    }
    let list = |name: &str| header.get(&[name]).map(numbers::<f64>).transpose();
    let flip = to_lps(header.get(&["space"]).unwrap_or_default());
    let flipped = |vector: &[f64]| vector.iter().zip(flip).map(|(part, sign)| part * sign).collect();
    let origin: Option<Vec<f64>> = list("space origin")?.map(|origin| flipped(&origin));
    let Some(steps) = list("space directions")? else {
        // What is unknown is `nan`.
        let known = |step: f64| if step.is_nan() { 1.0 } else { step };
        let spacing = list("spacings")?.map(|steps| steps.into_iter().map(known).collect());
        return Geometry::from_axes(&size, spacing, origin, None);
    };
    let (mut spacing, mut axes) = (Vec::new(), Vec::new());
    for step in steps.chunks(size.len().max(1)) {
        let length = step.iter().map(|part| part * part).sum::<f64>().sqrt();
        let unit: Vec<f64> = step.iter().map(|part| part / length).collect();
        spacing.push(length);
        axes.extend::<Vec<f64>>(flipped(&unit));
    }
    Geometry::from_axes(&size, Some(spacing), origin, Some(axes))
}

/// Signs that turn a space's axes to left, posterior, superior, where ITK knows them.
fn to_lps(space: &str) -> [f64; 3] {
    match space.to_lowercase().as_str() {
        "right-anterior-superior" | "ras" => [-1.0, -1.0, 1.0],
        "left-anterior-superior" | "las" => [1.0, -1.0, 1.0],
        _ => [1.0; 3],
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    Ok(match words.join(" ").as_str() {
        "uchar" | "unsigned char" | "uint8" | "uint8_t" => Kind::U8,
        "signed char" | "int8" | "int8_t" => Kind::I8,
        "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => Kind::U16,
        "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => Kind::I16,
        "uint" | "unsigned int" | "uint32" | "uint32_t" => Kind::U32,
        "int" | "signed int" | "int32" | "int32_t" => Kind::I32,
        "ulonglong" | "unsigned long long" | "unsigned long long int" | "uint64" | "uint64_t" => Kind::U64,
        "longlong"
        | "long long"
        | "long long int"
        | "signed long long"
        | "signed long long int"
        | "int64"
        | "int64_t" => Kind::I64,
        "float" => Kind::F32,
        "double" => Kind::F64,
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
        out.write_all(header(geometry, kind).as_bytes())?;
        let mut out = GzEncoder::new(out, Compression::new(LEVEL));
        voxels(&mut out)?;
        out.finish().map(|_| ())
    })
}

fn header(geometry: &Geometry, kind: &str) -> String {
    let n = geometry.axes();
    let vector = |parts: &[f64]| {
        let parts: Vec<String> = parts.iter().map(f64::to_string).collect();
        format!("({})", parts.join(","))
    };
    let step = |axis: usize| {
        let parts: Vec<f64> = geometry.axis(axis).map(|part| part * geometry.spacing[axis]).collect();
        vector(&parts)
    };
    let steps: Vec<String> = (0..n).map(step).collect();
    let sizes: Vec<String> = geometry.size[..n].iter().map(usize::to_string).collect();
    let space = if n == 3 { "space: left-posterior-superior" } else { "space dimension: 2" };
    format!(
        "NRRD0004\ntype: {kind}\ndimension: {n}\n{space}\nsizes: {}\nspace directions: {}\nkinds:{}\nendian: little\n\
         encoding: gzip\nspace origin: {}\n\n",
        sizes.join(" "),
        steps.join(" "),
        " domain".repeat(n),
        vector(&geometry.origin[..n]),
    )
}
