//! The frame around the chunks: a header in msgpack with the layout of the array, the chunks, their offsets, a trailer.

use super::grid::{AXES, At, Grid};
use crate::pickle::DType;

type Result<T> = std::result::Result<T, String>;

const MAGIC: &[u8] = b"\xa8b2frame\0";
const LAYOUT: &[u8] = b"b2nd";
/// Length of the header up to the metalayers.
const FIXED: usize = 0x57;
/// Flags of the second byte: chunks or blocks of variable length.
const VARIABLE: u8 = 0xc0;
/// Marks of msgpack.
const I32: u8 = 0xd2;
const I64: u8 = 0xd3;

/// What the header says.
#[derive(Debug)]
pub(super) struct Header {
    /// Bytes before the first chunk.
    pub(super) len: usize,
    /// Bytes of all chunks.
    pub(super) packed: usize,
    pub(super) grid: Grid,
    pub(super) dtype: DType,
}

/// What a frame is written from.
pub(super) struct Frame<'a> {
    /// Axes that are written: all, or without the channels.
    pub(super) axes: usize,
    pub(super) grid: &'a Grid,
    pub(super) dtype: DType,
    /// Bytes of all chunks when unpacked, of one chunk, and of one block.
    pub(super) unpacked: [usize; 3],
    /// Bytes of all chunks.
    pub(super) packed: usize,
    /// Bytes of the index.
    pub(super) index: usize,
    /// Number of the filter.
    pub(super) filter: u8,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = || "the header of the frame is damaged".to_owned();
        if bytes.get(1..10) != Some(MAGIC) {
            return Err("not a frame of Blosc2".to_owned());
        }
        let mut fields = Fields(&bytes[10..]);
        let len = fields.marked(I32, 4).ok_or_else(damaged)?;
        let whole = fields.marked(0xcf, 8).ok_or_else(damaged)?;
        if whole > bytes.len() {
            return Err(format!("the file is cut off: it has {} of {whole} bytes", bytes.len()));
        }
        let flags = fields.take(5).ok_or_else(damaged)?;
        if flags[1] & VARIABLE != 0 || flags[2] & 0x0f != 0 {
            return Err("frames with chunks of variable length or in a folder are not supported".to_owned());
        }
        fields.marked(I64, 8).ok_or_else(damaged)?;
        let packed = fields.marked(I64, 8).ok_or_else(damaged)?;
        let layout = bytes.get(..len).and_then(layout).ok_or("the frame has no layout of an array (b2nd)")?;
        let (grid, dtype) = parse_layout(layout)?;
        Ok(Self { len, packed, grid, dtype })
    }
}

/// The metalayer with the layout.
fn layout(header: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields(header.get(FIXED..)?);
    fields.take(5)?;
    for _ in 0..fields.number(2)? {
        let name_len = usize::from(fields.take(1)?[0] & 31);
        let name = fields.take(name_len)?;
        let at = fields.marked(I32, 4)?;
        if name == LAYOUT {
            let mut content = Fields(header.get(at..)?);
            let len = content.marked(0xc6, 4)?;
            return content.take(len);
        }
    }
    None
}

fn parse_layout(bytes: &[u8]) -> Result<(Grid, DType)> {
    let damaged = || "the layout of the array is damaged".to_owned();
    let mut fields = Fields(bytes);
    let start = fields.take(3).ok_or_else(damaged)?;
    let axes = usize::from(start[2]);
    if axes != AXES && axes + 1 != AXES {
        return Err(format!("the array has {axes} axes instead of {AXES}"));
    }
    let shape = fields.axes(axes, I64, 8).ok_or_else(damaged)?;
    let chunk = fields.axes(axes, I32, 4).ok_or_else(damaged)?;
    let block = fields.axes(axes, I32, 4).ok_or_else(damaged)?;
    fields.take(1).ok_or_else(damaged)?;
    let len = fields.marked(0xdb, 4).ok_or_else(damaged)?;
    let code = fields.take(len).and_then(|code| std::str::from_utf8(code).ok()).ok_or_else(damaged)?;
    let dtype = DType::from_code(code).filter(|dtype| !matches!(dtype, DType::Unicode(_) | DType::Object));
    Ok((Grid::new(shape, chunk, block)?, dtype.ok_or(format!("elements of type {code} are not supported"))?))
}

/// Fields of msgpack.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes that is not negative.
    fn number(&mut self, len: usize) -> Option<usize> {
        let value = self.take(len)?.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let limit = if len == 8 { i64::MAX as u64 } else { i32::MAX as u64 };
        (value <= limit).then_some(value as usize)
    }

    fn marked(&mut self, mark: u8, len: usize) -> Option<usize> {
        if self.take(1)? != [mark] {
            return None;
        }
        self.number(len)
    }

    /// Label maps without an axis of channels have one channel.
    fn axes(&mut self, axes: usize, mark: u8, len: usize) -> Option<At> {
        self.take(1)?;
        let mut at = [1; AXES];
        for axis in &mut at[AXES - axes..] {
            *axis = self.marked(mark, len)?;
        }
        Some(at)
    }
}

impl Frame<'_> {
    /// The header.
    pub(super) fn header(&self) -> Vec<u8> {
        let layout = self.layout();
        // The list of metalayers, here one: marks and counts, its name, and where it is.
        let list = 7 + 1 + LAYOUT.len() + 5;
        let at = FIXED + list + 3;
        let len = at + 5 + layout.len();
        let [unpacked, chunk, block] = self.unpacked;
        let mut out = vec![0x90 + 14];
        out.extend(MAGIC);
        put(&mut out, I32, len as i32);
        out.push(0xcf);
        out.extend(
            (len as u64 + self.packed as u64 + self.index as u64 + TRAILER.len() as u64).to_be_bytes(),
        );
        // Version 2 with offsets of 64 bits; one file; LZ4 of level 5; streams as the codec wants them.
        out.extend([0xa0 + 4, 0x12, 0, 0x51, 3]);
        put_long(&mut out, unpacked);
        put_long(&mut out, self.packed);
        put(&mut out, I32, self.dtype.size() as i32);
        put(&mut out, I32, block as i32);
        put(&mut out, I32, chunk as i32);
        // Threads; no metalayers in the trailer; six filters with their settings.
        out.extend([0xd1, 0, 1, 0xd1, 0, 1, 0xc2, 0xd8, 6]);
        out.extend([self.filter, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend([0x93, 0xcd, 0, list as u8, 0xde, 0, 1]);
        out.push(0xa0 + LAYOUT.len() as u8);
        out.extend(LAYOUT);
        put(&mut out, I32, at as i32);
        out.extend([0xdc, 0, 1, 0xc6]);
        out.extend((layout.len() as u32).to_be_bytes());
        out.extend(layout);
        out
    }

    fn layout(&self) -> Vec<u8> {
        let (axes, first) = (self.axes as u8, AXES - self.axes);
        let mut out = vec![0x90 + 7, 0, axes, 0x90 + axes];
        self.grid.shape[first..].iter().for_each(|len| put_long(&mut out, *len));
        for at in [self.grid.chunk, self.grid.block] {
            out.push(0x90 + axes);
            at[first..].iter().for_each(|len| put(&mut out, I32, *len as i32));
        }
        let code = format!("{}{}", self.dtype.order_mark(), self.dtype.code());
        out.push(0);
        put(&mut out, 0xdb, code.len() as i32);
        out.extend(code.as_bytes());
        out
    }
}

/// No metalayers and no checksum.
pub(super) const TRAILER: [u8; 35] = {
    let mut trailer = [0; 35];
    let start = [0x94, 1, 0x93, 0xcd, 0, 6, 0xde, 0, 0, 0xdc, 0, 0, 0xce, 0, 0, 0, 35, 0xd8];
    let mut i = 0;
    while i < start.len() {
        trailer[i] = start[i];
        i += 1;
    }
    trailer
};

fn put(out: &mut Vec<u8>, mark: u8, value: i32) {
    out.push(mark);
    out.extend(value.to_be_bytes());
}

fn put_long(out: &mut Vec<u8>, value: usize) {
    out.push(I64);
    out.extend((value as i64).to_be_bytes());
}
