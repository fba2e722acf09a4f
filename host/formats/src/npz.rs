//! NumPy's `.npz` files: zip archives of npy arrays.

use std::io::{Read, Write};
use std::path::Path;

use ndarray::{Array3, Array4, ArrayView3, ArrayView4};
use zip::write::SimpleFileOptions;

use crate::npy::{Header, header_bytes, parse_header, write_f32};
use crate::pickle::DType;
use crate::{Error, Result, atomic};

/// Deflate never shrinks by more than this.
const DEFLATE_LIMIT: u64 = 1032;
/// Longest header of an array.
const MAX_HEADER: u64 = 1 << 16;

/// An array of an archive: header and little-endian bytes in C order.
#[derive(Debug, Clone)]
pub struct Member {
    /// Type and shape.
    pub header: Header,
    /// Elements.
    pub data: Vec<u8>,
}

impl Member {
    /// Elements as f32; `None` for text and objects.
    #[must_use]
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        crate::elements::to_f32(self.header.dtype, &self.data)
    }
}

/// Writes a compressed archive with one float32 array of (c, z, y, x).
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save_f32(path: &Path, key: &str, array: ArrayView4<'_, f32>) -> Result<()> {
    write_archive(path, key, DType::F32, array.shape(), |out| write_f32(out, array.iter().copied()))
}

/// Writes an image (c, z, y, x) and its label (z, y, x) as one array, the label last, as v1 stores a case.
///
/// # Errors
/// Returns an error if the shapes differ or the file cannot be written.
pub fn save_case(path: &Path, image: ArrayView4<'_, f32>, label: ArrayView3<'_, f32>) -> Result<()> {
    let (channels, z, y, x) = image.dim();
    if label.dim() != (z, y, x) {
        return Err(Error::invalid(path, "image and label differ in size"));
    }
    write_archive(path, "data", DType::F32, &[channels + 1, z, y, x], |out| {
        write_f32(out, image.iter().copied())?;
        write_f32(out, label.iter().copied())
    })
}

/// Writes a compressed archive with one float16 array of (c, z, y, x): v1's softmax.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save_f16(path: &Path, key: &str, array: ArrayView4<'_, f32>) -> Result<()> {
    write_archive(path, key, DType::F16, array.shape(), |out| {
        let bytes: Vec<u8> =
            array.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect();
        out.write_all(&bytes)
    })
}

/// Writes a compressed archive with one array of bytes, (z, y, x): labels, as v1 hands them to the next stage.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save_u8(path: &Path, key: &str, array: ArrayView3<'_, u8>) -> Result<()> {
    write_archive(path, key, DType::U8, array.shape(), |out| {
        out.write_all(&array.iter().copied().collect::<Vec<u8>>())
    })
}

/// Writes a case of v2: an image (c, z, y, x) as float32 under `data` and its label map (z, y, x) as int16 under `seg`,
/// which has one channel.
///
/// # Errors
/// Returns an error if the shapes differ, or an I/O error if the file cannot be written.
pub fn save_case_v2(path: &Path, image: ArrayView4<'_, f32>, label: ArrayView3<'_, f32>) -> Result<()> {
    let (_, z, y, x) = image.dim();
    if label.dim() != (z, y, x) {
        return Err(Error::invalid(path, "image and label differ in size"));
    }
    atomic::replace(path, |temporary| {
        let mut archive = create(path, temporary)?;
        write_member(&mut archive, "data", DType::F32, image.shape(), |out| {
            write_f32(out, image.iter().copied())
        })
        .map_err(|error| Error::io(path, error))?;
        write_member(&mut archive, "seg", DType::I16, &[1, z, y, x], |out| {
            let bytes: Vec<u8> = label.iter().flat_map(|value| (*value as i16).to_le_bytes()).collect();
            out.write_all(&bytes)
        })
        .map_err(|error| Error::io(path, error))?;
        finish(path, archive)
    })
}

/// Reads a case of v2: image (c, z, y, x) and label map (z, y, x).
///
/// # Errors
/// As [`load_f32`]; a label map of several channels or of another size.
pub fn load_case_v2(path: &Path) -> Result<(Array4<f32>, Array3<f32>)> {
    let (image, label) = (load_f32(path, "data")?, load_f32(path, "seg")?);
    let (_, z, y, x) = image.dim();
    if label.dim() != (1, z, y, x) {
        return Err(Error::invalid(path, "image and label differ in size"));
    }
    Ok((image, label.index_axis_move(ndarray::Axis(0), 0)))
}

type Archive = zip::ZipWriter<std::io::BufWriter<std::fs::File>>;

fn create(path: &Path, temporary: &Path) -> Result<Archive> {
    let file = std::fs::File::create(temporary).map_err(|error| Error::io(path, error))?;
    Ok(zip::ZipWriter::new(std::io::BufWriter::with_capacity(1 << 20, file)))
}

fn write_member(
    archive: &mut Archive,
    key: &str,
    dtype: DType,
    shape: &[usize],
    body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let bytes = shape.iter().product::<usize>() as u64 * dtype.size() as u64;
    // Level 1 is several times faster than NumPy's 6 and hardly larger on float data.
    let options =
        SimpleFileOptions::default().compression_level(Some(1)).large_file(bytes > u64::from(u32::MAX) / 2);
    archive.start_file(format!("{key}.npy"), options)?;
    archive.write_all(&header_bytes(dtype, shape))?;
    body(archive)
}

fn finish(path: &Path, archive: Archive) -> Result<()> {
    let failed = |error: std::io::Error| Error::io(path, error);
    archive.finish().map_err(|error| failed(error.into()))?.flush().map_err(failed)
}

pub(crate) fn write_archive(
    path: &Path,
    key: &str,
    dtype: DType,
    shape: &[usize],
    body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    atomic::replace(path, |temporary| {
        let mut archive = create(path, temporary)?;
        write_member(&mut archive, key, dtype, shape, body).map_err(|error| Error::io(path, error))?;
        finish(path, archive)
    })
}

/// Reads what [`save_case`] writes: image (c, z, y, x) and label (z, y, x).
///
/// # Errors
/// As [`load_f32`].
pub fn load_case(path: &Path) -> Result<(Array4<f32>, Array3<f32>)> {
    let array = load_f32(path, "data")?;
    let (channels, z, y, x) = array.dim();
    let image = channels - 1;
    let (mut values, _) = array.into_raw_vec_and_offset();
    let label = values.split_off(image * z * y * x);
    values.shrink_to_fit();
    let invalid = |error: ndarray::ShapeError| Error::invalid(path, error);
    Ok((
        Array4::from_shape_vec((image, z, y, x), values).map_err(invalid)?,
        Array3::from_shape_vec((z, y, x), label).map_err(invalid)?,
    ))
}

/// Names of the arrays of an archive.
///
/// # Errors
/// Returns an error if the archive is damaged.
pub fn names(path: &Path) -> Result<Vec<String>> {
    let file = crate::input::open(path)?;
    let archive = zip::ZipArchive::new(std::io::BufReader::new(file))
        .map_err(|error| Error::invalid(path, format!("not a complete npz archive: {error}")))?;
    let names = archive.file_names().filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned()));
    Ok(names.collect())
}

/// Opens an array of an archive: `body` gets its header, the first of its data and a reader of the rest. The archive
/// can hold as much as the header claims.
pub(crate) fn member<T>(
    path: &Path,
    key: &str,
    body: impl FnOnce(Header, Vec<u8>, &mut dyn Read) -> Result<T>,
) -> Result<T> {
    let file = crate::input::open(path)?;
    let damaged =
        |error: zip::result::ZipError| Error::invalid(path, format!("not a complete npz archive: {error}"));
    let mut archive = zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(damaged)?;
    let mut member = archive
        .by_name(&format!("{key}.npy"))
        .map_err(|_| Error::invalid(path, format!("the archive has no array `{key}`")))?;
    let most = member.compressed_size().saturating_mul(DEFLATE_LIMIT).saturating_add(MAX_HEADER);
    let mut bytes = Vec::new();
    member.by_ref().take(MAX_HEADER).read_to_end(&mut bytes).map_err(|source| Error::io(path, source))?;
    let header = parse_header(&bytes).map_err(|message| Error::invalid(path, message))?;
    if header.bytes().is_none_or(|bytes| bytes > most) {
        return Err(Error::invalid(
            path,
            format!("array `{key}` is declared larger than the archive can contain"),
        ));
    }
    let data = bytes.split_off(header.len);
    body(header, data, &mut member)
}

/// Reads one array of an archive.
///
/// # Errors
/// Returns an error if the key is missing, the archive is damaged, or the type is not supported.
pub fn load(path: &Path, key: &str) -> Result<Member> {
    let (header, mut data) = member(path, key, |header, mut data, rest| {
        let wanted = header.bytes().unwrap_or(0);
        data.reserve_exact((wanted as usize).saturating_sub(data.len()));
        rest.take(wanted + 1).read_to_end(&mut data).map_err(|source| Error::io(path, source))?;
        Ok((header, data))
    })?;
    let wanted = header.bytes().unwrap_or(0);
    if data.len() as u64 != wanted {
        let got = data.len();
        return Err(Error::invalid(path, format!("array `{key}` has {got} bytes instead of {wanted}")));
    }
    if header.fortran_order && header.shape.len() > 1 {
        data = crate::pickle::to_c_order(&data, &header.shape, header.dtype.size());
    }
    Ok(Member { header, data })
}

/// Reads an array of four axes as float32.
///
/// # Errors
/// As [`load`]; returns an error too if the array is empty, not numeric, or has another number of axes.
pub fn load_f32(path: &Path, key: &str) -> Result<Array4<f32>> {
    let member = load(path, key)?;
    let shape: [usize; 4] = member.header.shape.as_slice().try_into().map_err(|_| {
        Error::invalid(path, format!("array `{key}` has {} axes instead of 4", member.header.shape.len()))
    })?;
    if shape.contains(&0) {
        return Err(Error::invalid(path, format!("array `{key}` is empty: its shape is {shape:?}")));
    }
    let values =
        member.to_f32().ok_or_else(|| Error::invalid(path, format!("array `{key}` is not numeric")))?;
    Array4::from_shape_vec(shape, values).map_err(|error| Error::invalid(path, error))
}
