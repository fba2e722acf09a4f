//! Writing arrays.

use std::ops::Range;
use std::path::Path;

use ndarray::{ArrayView1, ArrayView3, ArrayView4, Axis, s};

use super::chunk::{COPY, EXTENDED, HEADER, ONE_STREAM};
use super::codec::shuffle;
use super::frame::{Frame, TRAILER};
use super::grid::{AXES, At, Grid};
use crate::pickle::DType;
use crate::{Error, Result, atomic};

/// LZ4 in the flags of a chunk, and as number of a codec.
const LZ4: u8 = 1;
/// Version of chunks.
const VERSION: u8 = 5;
/// The offset of a chunk of zeros, which is not stored.
const ZEROS: u64 = 0x81 << 56;

/// Element types that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Single precision.
    F32,
    /// 16-bit integers.
    I16,
    /// Bytes.
    U8,
    /// 16-bit integers without sign.
    U16,
}

/// Writes an array in chunks of blocks of the given sizes, compressed with LZ4. Bytes are shuffled first if that makes
/// the chunk in the middle smaller, as nnU-Net v2 decides.
///
/// # Errors
/// Returns an error if a size is zero, a block is larger than a chunk or a chunk than 2 GB, or the file cannot be
/// written.
pub fn save(path: &Path, array: ArrayView4<'_, f32>, element: Element, chunk: At, block: At) -> Result<()> {
    write(path, array, element, (chunk, block), AXES)
}

/// As [`save`], for an array of (z, y, x).
///
/// # Errors
/// As [`save`].
pub fn save_volume(
    path: &Path,
    array: ArrayView3<'_, f32>,
    element: Element,
    [chunk, block]: [[usize; 3]; 2],
) -> Result<()> {
    let with_channel = |[z, y, x]: [usize; 3]| [1, z, y, x];
    let sizes = (with_channel(chunk), with_channel(block));
    write(path, array.insert_axis(Axis(0)), element, sizes, AXES - 1)
}

fn write(
    path: &Path,
    array: ArrayView4<'_, f32>,
    element: Element,
    (chunk, block): (At, At),
    axes: usize,
) -> Result<()> {
    let (c, z, y, x) = array.dim();
    let grid = Grid::new([c, z, y, x], chunk, block).map_err(|message| Error::invalid(path, message))?;
    let size = element.size();
    let chunk_bytes =
        grid.chunk_len().and_then(|len| len.checked_mul(size)).filter(|len| *len <= i32::MAX as usize / 2);
    let chunk_bytes =
        chunk_bytes.ok_or_else(|| Error::invalid(path, "chunks of 1 GB or more cannot be written"))?;
    let whole: [Range<usize>; AXES] = std::array::from_fn(|axis| 0..grid.shape[axis]);
    let starts: Vec<At> = grid.chunks_in(&whole).map(|(_, start)| start).collect();
    let raw = |start: At| gather(&array, &grid, start, element, chunk_bytes);
    let middle = raw(starts[starts.len() / 2]);
    let packer = |shuffled| Packer { size, block: grid.block_len() * size, shuffled };
    let smaller = packer(true).pack(&middle).len() < packer(false).pack(&middle).len();
    let packer = packer(smaller);
    let (mut offsets, mut chunks, mut packed) = (Vec::new(), Vec::new(), 0);
    for start in starts {
        let raw = raw(start);
        if raw.iter().all(|byte| *byte == 0) {
            offsets.push(ZEROS);
            continue;
        }
        let chunk = packer.pack(&raw);
        offsets.push(packed as u64);
        packed += chunk.len();
        chunks.push(chunk);
    }
    let index: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
    let index = copied(&index, 8, index.len());
    let frame = Frame {
        axes,
        grid: &grid,
        dtype: element.dtype(),
        unpacked: [chunk_bytes * offsets.len(), chunk_bytes, packer.block],
        packed,
        index: index.len(),
        filter: u8::from(packer.shuffled),
    };
    let header = frame.header();
    atomic::write(path, |out| {
        let parts = [&header].into_iter().chain(&chunks).chain([&index]);
        parts.map(Vec::as_slice).chain([&TRAILER[..]]).try_for_each(|part| out.write_all(part))
    })
}

impl Element {
    /// Bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        self.dtype().size()
    }

    fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::I16 => DType::I16,
            Self::U8 => DType::U8,
            Self::U16 => DType::U16,
        }
    }

    fn put(self, row: ArrayView1<'_, f32>, out: &mut [u8]) {
        match self {
            Self::F32 => {
                row.iter().zip(out.as_chunks_mut().0).for_each(|(value, to)| *to = value.to_le_bytes())
            }
            Self::I16 => {
                row.iter()
                    .zip(out.as_chunks_mut().0)
                    .for_each(|(value, to)| *to = (*value as i16).to_le_bytes());
            }
            Self::U8 => row.iter().zip(out).for_each(|(value, to)| *to = *value as u8),
            Self::U16 => {
                row.iter()
                    .zip(out.as_chunks_mut().0)
                    .for_each(|(value, to)| *to = (*value as u16).to_le_bytes());
            }
        }
    }
}

/// The elements of a chunk, block after block, with zeros where a block leaves the array.
fn gather(array: &ArrayView4<'_, f32>, grid: &Grid, start: At, element: Element, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    let (size, [_, bz, by, bx]) = (element.size(), grid.block);
    let area =
        std::array::from_fn(|axis| start[axis]..(start[axis] + grid.chunk[axis]).min(grid.shape[axis]));
    for part in grid.parts_in(start, &area) {
        let first = part.number * grid.block_len();
        let [c, z, y, x] = std::array::from_fn(|axis| part.start[axis]..part.start[axis] + part.size[axis]);
        for (c, image) in array.slice(s![c, z, y, x]).outer_iter().enumerate() {
            for (z, plane) in image.outer_iter().enumerate() {
                for (y, row) in plane.axis_iter(Axis(0)).enumerate() {
                    let at = (first + ((c * bz + z) * by + y) * bx) * size;
                    element.put(row, &mut out[at..at + row.len() * size]);
                }
            }
        }
    }
    out
}

/// Compresses chunks.
struct Packer {
    /// Bytes of an element.
    size: usize,
    /// Bytes of a block.
    block: usize,
    /// Whether bytes are sorted by their place in the element; each place is a stream of its own then.
    shuffled: bool,
}

impl Packer {
    fn pack(&self, raw: &[u8]) -> Vec<u8> {
        let mut offsets = Vec::new();
        let mut streams = Vec::new();
        let start = HEADER + 4 * raw.len().div_ceil(self.block);
        for block in raw.chunks(self.block) {
            offsets.extend(((start + streams.len()) as u32).to_le_bytes());
            if self.shuffled {
                let sorted = shuffle(self.size, block);
                sorted
                    .chunks_exact(block.len() / self.size)
                    .for_each(|stream| put_stream(stream, &mut streams));
            } else {
                put_stream(block, &mut streams);
            }
        }
        if start + streams.len() >= HEADER + raw.len() {
            return copied(raw, self.size as u8, self.block);
        }
        let flags = EXTENDED | LZ4 << 5 | if self.shuffled { 0 } else { ONE_STREAM };
        let mut out =
            header(flags, self.size as u8, [raw.len(), self.block, start + streams.len()], self.shuffled);
        out.extend(offsets);
        out.extend(streams);
        out
    }
}

/// A stream with its size; bytes that are all the same need no content.
fn put_stream(stream: &[u8], out: &mut Vec<u8>) {
    let first = stream.first().copied().unwrap_or(0);
    if stream.iter().all(|byte| *byte == first) {
        out.extend((-i32::from(first)).to_le_bytes());
        out.extend((first != 0).then_some(1));
        return;
    }
    let packed = lz4_flex::block::compress(stream);
    let content = if packed.len() < stream.len() { &packed[..] } else { stream };
    out.extend((content.len() as i32).to_le_bytes());
    out.extend(content);
}

/// A chunk without compression.
fn copied(raw: &[u8], size: u8, block: usize) -> Vec<u8> {
    let mut out = header(EXTENDED | COPY | LZ4 << 5, size, [raw.len(), block, HEADER + raw.len()], false);
    out.extend(raw);
    out
}

fn header(flags: u8, size: u8, lengths: [usize; 3], shuffled: bool) -> Vec<u8> {
    let mut out = vec![VERSION, 1, flags, size];
    out.extend(lengths.iter().flat_map(|len| (*len as u32).to_le_bytes()));
    out.resize(HEADER, 0);
    out[16] = u8::from(shuffled);
    out[22] = LZ4;
    out
}
