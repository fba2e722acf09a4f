//! How an array lies in chunks, and a chunk in blocks.

use std::ops::Range;

type Result<T> = std::result::Result<T, String>;

/// Axes of the arrays of nnU-Net: channels, z, y, x.
pub(super) const AXES: usize = 4;
/// A place or size.
pub(super) type At = [usize; AXES];

/// The layout of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) shape: At,
    pub(super) chunk: At,
    pub(super) block: At,
}

/// A block, as far as it lies inside of the array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its number in the chunk.
    pub(super) number: usize,
    /// Its place in the array.
    pub(super) start: At,
    /// Its size.
    pub(super) size: At,
}

impl Grid {
    pub(super) fn new(shape: At, chunk: At, block: At) -> Result<Self> {
        let fits = |axis: usize| block[axis] > 0 && block[axis] <= chunk[axis] && shape[axis] > 0;
        if !(0..AXES).all(fits) {
            return Err(format!("an array of {shape:?} in chunks of {chunk:?} and blocks of {block:?}"));
        }
        let grid = Self { shape, chunk, block };
        let all = [grid.chunks(), grid.blocks(), grid.shape, grid.block];
        let counts = all.iter().all(|at| product(*at).is_some_and(|count| count <= isize::MAX as usize / 8));
        if counts { Ok(grid) } else { Err("the array is larger than any memory".to_owned()) }
    }

    /// Chunks along each axis.
    pub(super) fn chunks(&self) -> At {
        std::array::from_fn(|axis| self.shape[axis].div_ceil(self.chunk[axis]))
    }

    /// Blocks of a chunk along each axis.
    pub(super) fn blocks(&self) -> At {
        std::array::from_fn(|axis| self.chunk[axis].div_ceil(self.block[axis]))
    }

    /// Elements of a block.
    pub(super) fn block_len(&self) -> usize {
        self.block.iter().product()
    }

    /// Elements of a chunk with its padding; `None` if no machine could hold them.
    pub(super) fn chunk_len(&self) -> Option<usize> {
        product(self.blocks())?.checked_mul(self.block_len())
    }

    /// Numbers and places of the chunks that meet a box.
    pub(super) fn chunks_in(&self, area: &[Range<usize>; AXES]) -> impl Iterator<Item = (usize, At)> {
        let touched = std::array::from_fn(|axis| touched(&area[axis], self.chunk[axis]));
        let (all, chunk) = (self.chunks(), self.chunk);
        places(touched).map(move |at| (number(at, all), std::array::from_fn(|axis| at[axis] * chunk[axis])))
    }

    /// The blocks of the chunk at `start` that meet a box.
    pub(super) fn parts_in(&self, start: At, area: &[Range<usize>; AXES]) -> impl Iterator<Item = Part> {
        let inside = |axis: usize| {
            let end = self.shape[axis].min(start[axis] + self.chunk[axis]).min(area[axis].end);
            let from = area[axis].start.max(start[axis]);
            touched(&(from - start[axis]..end.max(from) - start[axis]), self.block[axis])
        };
        let (all, grid) = (self.blocks(), self.clone());
        places(std::array::from_fn(inside)).map(move |at| {
            let offset: At = std::array::from_fn(|axis| at[axis] * grid.block[axis]);
            let place: At = std::array::from_fn(|axis| start[axis] + offset[axis]);
            let size = |axis: usize| {
                grid.block[axis].min(grid.chunk[axis] - offset[axis]).min(grid.shape[axis] - place[axis])
            };
            Part { number: number(at, all), start: place, size: std::array::from_fn(size) }
        })
    }
}

/// Cells of a length that a range touches.
fn touched(range: &Range<usize>, len: usize) -> Range<usize> {
    if range.is_empty() { 0..0 } else { range.start / len..range.end.div_ceil(len) }
}

fn product(at: At) -> Option<usize> {
    at.iter().try_fold(1_usize, |product, len| product.checked_mul(*len))
}

/// The number of a place, the last axis fastest.
fn number(at: At, all: At) -> usize {
    at.iter().zip(all).fold(0, |number, (at, all)| number * all + at)
}

fn places([c, z, y, x]: [Range<usize>; AXES]) -> impl Iterator<Item = At> {
    c.flat_map(move |c| {
        let (y, x) = (y.clone(), x.clone());
        z.clone().flat_map(move |z| {
            let x = x.clone();
            y.clone().flat_map(move |y| x.clone().map(move |x| [c, z, y, x]))
        })
    })
}
