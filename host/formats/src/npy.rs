//! NumPy's `.npy` files: volumes that training reads by crop.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array4, ArrayView3, ArrayView4, ArrayViewMut4};

use crate::pickle::{DType, MAX_AXES};
use crate::{Error, Result, atomic};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The content of an npy header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Element type.
    pub dtype: DType,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// First axis fastest.
    pub fortran_order: bool,
    /// Bytes before the data.
    pub len: usize,
}

impl Header {
    /// Bytes of the elements; `None` when no machine could hold them.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let size = self.dtype.size() as u64;
        self.shape.iter().try_fold(size, |bytes, len| bytes.checked_mul(u64::try_from(*len).ok()?))
    }
}

/// Parses the header at the start of `bytes`.
///
/// # Errors
/// Returns a message if it is not an npy header, or the type is not supported.
pub fn parse_header(bytes: &[u8]) -> std::result::Result<Header, String> {
    let short = || "the npy header is truncated".to_owned();
    if bytes.get(..6) != Some(MAGIC) {
        return Err("not an npy array".to_owned());
    }
    let (len, start) = match bytes.get(6).ok_or_else(short)? {
        1 => (bytes.get(8..10).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]]))), 10),
        _ => (bytes.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize), 12),
    };
    let end = start + len.ok_or_else(short)?;
    let text = std::str::from_utf8(bytes.get(start..end).ok_or_else(short)?).map_err(|_| short())?;
    let descr = after(text, "'descr':").and_then(|rest| rest.trim().strip_prefix('\'')?.split('\'').next());
    let descr = descr.ok_or("the npy header has no simple element type")?;
    if descr.starts_with('>') && !descr.ends_with('1') {
        return Err("big-endian npy data; save it again on a current machine".to_owned());
    }
    let dtype =
        DType::from_code(descr.trim_start_matches('>')).ok_or(format!("unsupported npy type {descr}"))?;
    let shape = after(text, "'shape':").and_then(|rest| rest.split('(').nth(1)?.split(')').next());
    let shape =
        shape.ok_or("the npy header has no shape")?.split(',').map(str::trim).filter(|part| !part.is_empty());
    let shape = shape
        .map(|part| part.parse().map_err(|_| format!("bad npy shape {part}")))
        .collect::<std::result::Result<_, _>>()?;
    let shape: Vec<usize> = shape;
    if shape.len() > MAX_AXES {
        return Err(format!("{} axes; NumPy's arrays have at most {MAX_AXES}", shape.len()));
    }
    let fortran_order =
        after(text, "'fortran_order':").is_some_and(|rest| rest.trim_start().starts_with("True"));
    Ok(Header { dtype, shape, fortran_order, len: end })
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split_once(key).map(|(_, rest)| rest)
}

/// The header of a C-order array, padded so that the data is aligned.
#[must_use]
pub fn header_bytes(dtype: DType, shape: &[usize]) -> Vec<u8> {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let tuple =
        if let [one] = axes.as_slice() { format!("({one},)") } else { format!("({})", axes.join(", ")) };
    let mut text = format!(
        "{{'descr': '{}{}', 'fortran_order': False, 'shape': {tuple}, }}",
        dtype.order_mark(),
        dtype.code()
    );
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// Writes a float32 array of (c, z, y, x).
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save(path: &Path, array: ArrayView4<'_, f32>) -> Result<()> {
    atomic::write(path, |out| {
        out.write_all(&header_bytes(DType::F32, array.shape()))?;
        write_f32(out, array.iter().copied())
    })
}

/// Writes labels of (z, y, x) as bytes.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save_u8(path: &Path, array: ArrayView3<'_, u8>) -> Result<()> {
    atomic::write(path, |out| {
        out.write_all(&header_bytes(DType::U8, array.shape()))?;
        out.write_all(&array.iter().copied().collect::<Vec<u8>>())
    })
}

/// Writes integers of (c, z, y, x) in 16 bits.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save_i16(path: &Path, array: ArrayView4<'_, f32>) -> Result<()> {
    atomic::write(path, |out| {
        out.write_all(&header_bytes(DType::I16, array.shape()))?;
        let bytes: Vec<u8> = array.iter().flat_map(|value| (*value as i16).to_le_bytes()).collect();
        out.write_all(&bytes)
    })
}

/// Reads an array of four axes as float32.
///
/// # Errors
/// Returns an error if the file is not a complete C-order array of numbers with four axes.
pub fn load_f32(path: &Path) -> Result<Array4<f32>> {
    let bytes = crate::input::read(path)?;
    let invalid = |message: String| Error::invalid(path, message);
    let header = parse_header(&bytes).map_err(invalid)?;
    let complete = header.bytes().is_some_and(|len| len == (bytes.len() - header.len) as u64);
    let shape: Option<[usize; 4]> = header.shape.as_slice().try_into().ok();
    let Some(shape) = shape.filter(|shape| complete && !header.fortran_order && !shape.contains(&0)) else {
        return Err(invalid("not a complete C-order array of four axes".to_owned()));
    };
    let values = crate::elements::to_f32(header.dtype, &bytes[header.len..]);
    let values = values.ok_or_else(|| invalid("the array is not numeric".to_owned()))?;
    Array4::from_shape_vec(shape, values).map_err(|error| Error::invalid(path, error))
}

/// Writes numbers in little endian through a small buffer.
pub(crate) fn write_f32(out: &mut dyn Write, values: impl Iterator<Item = f32>) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(1 << 16);
    for value in values {
        buffer.extend(value.to_le_bytes());
        if buffer.len() >= 1 << 16 {
            out.write_all(&buffer)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

/// A npy of float32 or of label values, (c, z, y, x), or of bytes, (z, y, x), mapped into memory: only what is read is
/// loaded.
#[derive(Debug)]
pub struct MappedVolume {
    path: PathBuf,
    map: Mmap,
    dtype: DType,
    start: usize,
    shape: [usize; 4],
}

impl MappedVolume {
    /// Maps a file.
    ///
    /// # Errors
    /// Returns an error if the file is not a C-order array of float32 or of integers of up to 16 bits with four axes or of
    /// bytes with three, or is empty.
    #[allow(unsafe_code)]
    pub fn open(path: &Path) -> Result<Self> {
        let file = crate::input::open(path)?;
        // SAFETY: the file is ours, written once under a temporary name and never changed afterwards.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(path, source))?;
        let header = parse_header(&map).map_err(|message| Error::invalid(path, message))?;
        let (dtype, start) = (header.dtype, header.len);
        let shape = match (dtype, header.shape.as_slice()) {
            (DType::F32 | DType::I16 | DType::I8 | DType::U8, [c, z, y, x]) => Some([*c, *z, *y, *x]),
            (DType::U8, [z, y, x]) => Some([1, *z, *y, *x]),
            _ => None,
        };
        let complete = header.bytes().is_some_and(|bytes| bytes <= (map.len() - start) as u64);
        let usable = |shape: &[usize; 4]| complete && !header.fortran_order && !shape.contains(&0);
        let Some(shape) = shape.filter(usable) else {
            return Err(Error::invalid(
                path,
                "not a complete C-order array of float32 or bytes with voxels in it; delete it, it is made again",
            ));
        };
        Ok(Self { path: path.to_owned(), map, dtype, start, shape })
    }

    /// (c, z, y, x).
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies a box of some channels into an array of its shape, (c, z, y, x). The ranges must lie inside.
    pub fn crop(
        &self,
        channels: Range<usize>,
        [z, y, x]: [Range<usize>; 3],
        mut out: ArrayViewMut4<'_, f32>,
    ) {
        let [_, nz, ny, nx] = self.shape;
        for (channel, mut volume) in channels.zip(out.outer_iter_mut()) {
            for (plane, mut slice) in z.clone().zip(volume.outer_iter_mut()) {
                for (row, mut line) in y.clone().zip(slice.outer_iter_mut()) {
                    let first = ((channel * nz + plane) * ny + row) * nx + x.start;
                    match line.as_slice_mut() {
                        Some(line) => self.copy_row(first, x.len(), line.iter_mut()),
                        None => self.copy_row(first, x.len(), line.iter_mut()),
                    }
                }
            }
        }
    }

    /// Copies `len` elements from element `first` on.
    fn copy_row<'a>(&self, first: usize, len: usize, to: impl Iterator<Item = &'a mut f32>) {
        let size = self.dtype.size();
        let bytes = &self.map[self.start + size * first..self.start + size * (first + len)];
        match self.dtype {
            DType::U8 => to.zip(bytes).for_each(|(to, from)| *to = f32::from(*from)),
            DType::I8 => to.zip(bytes).for_each(|(to, from)| *to = f32::from(from.cast_signed())),
            DType::I16 => {
                to.zip(bytes.as_chunks().0).for_each(|(to, from)| *to = f32::from(i16::from_le_bytes(*from)));
            }
            _ => to.zip(bytes.as_chunks::<4>().0).for_each(|(to, from)| *to = f32::from_le_bytes(*from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_of_a_mapped_file_is_the_crop_of_the_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let array =
            Array4::from_shape_fn((2, 3, 4, 5), |(c, z, y, x)| (c * 1000 + z * 100 + y * 10 + x) as f32);
        save(&path, array.view()).unwrap();
        let mapped = MappedVolume::open(&path).unwrap();
        let mut crop = Array4::zeros((1, 2, 2, 3));
        mapped.crop(1..2, [1..3, 0..2, 2..5], crop.view_mut());
        assert_eq!(crop, array.slice(ndarray::s![1..2, 1..3, 0..2, 2..5]));
    }
}
