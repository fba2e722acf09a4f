//! Arrays of Blosc2 (`.b2nd`): the preprocessed cases of nnU-Net v2.
//!
//! An array lies in chunks, each of several blocks that are compressed one by one, so that a crop is read without the
//! rest. Formats: `README_CFRAME_FORMAT`, `README_CHUNK_FORMAT` and `README_B2ND_METALAYER` of c-blosc2.

mod blosclz;
mod chunk;
mod codec;
mod frame;
mod grid;
mod write;

use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array4, ArrayView4, ArrayViewMut4, s};

use crate::elements::to_f32;
use crate::{Error, Result};
use chunk::Chunk;
use frame::Header;
use grid::{At, Part};

pub use write::{Element, save, save_volume};

/// Bytes of an index for a byte of a file: runs of one offset take least.
const INDEX_PER_BYTE: usize = 4096;
/// Bytes of an array for a byte of a file: blocks of one value take least.
const ARRAY_PER_BYTE: usize = 1 << 15;
/// A small file may be an array of zeros of this size.
const SMALL: usize = 1 << 30;
/// Largest block, of which a few copies are in memory; nnU-Net's have up to 512 KB.
const LARGEST_BLOCK: usize = 1 << 26;

/// An array of (c, z, y, x) in a file that is mapped into memory.
#[derive(Debug)]
pub struct CompressedArray {
    path: PathBuf,
    map: Mmap,
    header: Header,
    /// Where each chunk starts after the header, or what it consists of.
    offsets: Vec<u64>,
}

impl CompressedArray {
    /// Opens a file.
    ///
    /// # Errors
    /// Returns an error if the file is damaged, has another number of axes, or needs a codec or filter that is not
    /// supported.
    #[allow(unsafe_code)]
    pub fn open(path: &Path) -> Result<Self> {
        let file = crate::input::open(path)?;
        // SAFETY: preprocessed cases are written under a temporary name and never changed afterwards.
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(path, source))?;
        let invalid = |message: String| Error::invalid(path, message);
        let header = Header::parse(&map).map_err(invalid)?;
        let offsets = offsets(&map, &header).map_err(invalid)?;
        if header.grid.block_len().saturating_mul(header.dtype.size()) > LARGEST_BLOCK {
            return Err(Error::invalid(path, "blocks of more than 64 MB are not supported"));
        }
        Ok(Self { path: path.to_owned(), map, header, offsets })
    }

    /// (c, z, y, x).
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.header.grid.shape
    }

    /// Copies a box of some channels into an array of its shape, (c, z, y, x). The ranges must lie inside.
    ///
    /// # Errors
    /// Returns an error if a chunk is damaged.
    pub fn crop(
        &self,
        channels: Range<usize>,
        [z, y, x]: [Range<usize>; 3],
        mut out: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        let area = [channels, z, y, x];
        let mut buffer = Vec::new();
        for (number, start) in self.header.grid.chunks_in(&area) {
            self.copy_chunk(number, start, &area, &mut buffer, &mut out)
                .map_err(|message| Error::invalid(&self.path, message))?;
        }
        Ok(())
    }

    fn copy_chunk(
        &self,
        number: usize,
        start: At,
        area: &[Range<usize>; 4],
        buffer: &mut Vec<u8>,
        out: &mut ArrayViewMut4<'_, f32>,
    ) -> Result<(), String> {
        let chunk = self.chunk(number)?;
        for part in self.header.grid.parts_in(start, area) {
            chunk.unpack(part.number, buffer)?;
            let values = to_f32(self.header.dtype, buffer).ok_or("the array is not numeric")?;
            let [c, z, y, x] = self.header.grid.block;
            let block = ArrayView4::from_shape((c, z, y, x), &values).map_err(|error| error.to_string())?;
            copy_part(&block, &part, area, out);
        }
        Ok(())
    }

    fn chunk(&self, number: usize) -> Result<Chunk<'_>, String> {
        let Header { len, packed, grid, dtype } = &self.header;
        let block = grid.block_len() * dtype.size();
        let size = grid.chunk_len().and_then(|len| len.checked_mul(dtype.size()));
        let size = size.ok_or("a chunk is larger than any memory")?;
        let offset = self.offsets[number];
        let chunk = if offset >> 63 == 1 {
            Chunk::special((offset >> 56) as u8 & 7, &[], dtype.size(), size, block)?
        } else {
            let chunks = &self.map[..len + packed];
            let start = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(*len));
            Chunk::parse(
                start.and_then(|start| chunks.get(start..)).ok_or("the offset of a chunk is damaged")?,
            )?
        };
        let fits = chunk.len == size && chunk.block == block.min(size);
        if fits { Ok(chunk) } else { Err("a chunk does not have the size that the header gives".to_owned()) }
    }

    fn bytes(&self) -> Option<usize> {
        self.shape().iter().try_fold(4_usize, |bytes, len| bytes.checked_mul(*len))
    }
}

/// Copies what a block has of a box.
fn copy_part(
    block: &ArrayView4<'_, f32>,
    part: &Part,
    area: &[Range<usize>; 4],
    out: &mut ArrayViewMut4<'_, f32>,
) {
    let common: [Range<usize>; 4] = std::array::from_fn(|axis| {
        let (start, end) = (part.start[axis], part.start[axis] + part.size[axis]);
        start.max(area[axis].start)..end.min(area[axis].end)
    });
    let moved = |by: At| -> [Range<usize>; 4] {
        std::array::from_fn(|axis| common[axis].start - by[axis]..common[axis].end - by[axis])
    };
    let [c, z, y, x] = moved(part.start);
    let from = block.slice(s![c, z, y, x]);
    let [c, z, y, x] = moved(std::array::from_fn(|axis| area[axis].start));
    out.slice_mut(s![c, z, y, x]).assign(&from);
}

fn offsets(file: &[u8], header: &Header) -> Result<Vec<u64>, String> {
    let count: usize = header.grid.chunks().iter().product();
    let start = header.len.checked_add(header.packed).filter(|start| *start <= file.len());
    let index = start.and_then(|start| file.get(start..)).ok_or("the index of the chunks is cut off")?;
    let index = Chunk::parse(index)?;
    if index.len / 8 != count || index.len % 8 != 0 || index.len > file.len().saturating_mul(INDEX_PER_BYTE) {
        return Err("the index does not have as many chunks as the array".to_owned());
    }
    let (mut offsets, mut buffer) = (Vec::with_capacity(count), Vec::new());
    for block in 0..index.len.div_ceil(index.block) {
        index.unpack(block, &mut buffer)?;
        offsets.extend(buffer.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)));
    }
    if offsets.len() == count { Ok(offsets) } else { Err("the index of the chunks is damaged".to_owned()) }
}

/// Reads a whole array.
///
/// # Errors
/// As [`CompressedArray::open`]; returns an error too if the array is larger than the file can hold.
pub fn load(path: &Path) -> Result<Array4<f32>> {
    let file = CompressedArray::open(path)?;
    let most = file.map.len().saturating_mul(ARRAY_PER_BYTE).max(SMALL);
    if file.bytes().is_none_or(|bytes| bytes > most) {
        return Err(Error::invalid(path, "the array claims to be larger than the file can hold"));
    }
    let [c, z, y, x] = file.shape();
    let mut array = Array4::zeros((c, z, y, x));
    file.crop(0..c, [0..z, 0..y, 0..x], array.view_mut())?;
    Ok(array)
}
