//! A chunk of a frame: a header, and blocks that are compressed one by one.

use super::codec::{Codec, Filter};

type Result<T> = std::result::Result<T, String>;

/// Length of the header.
pub(super) const HEADER: usize = 32;
/// Flags of the header's third byte: the longer header, a copy without compression, one stream per block.
pub(super) const EXTENDED: u8 = 0x05;
pub(super) const COPY: u8 = 0x02;
pub(super) const ONE_STREAM: u8 = 0x10;

/// What the blocks of a chunk hold.
#[derive(Debug)]
enum Content<'a> {
    /// The element over and over; nothing for zeros.
    Repeated(Vec<u8>),
    /// Bytes without compression.
    Copy(&'a [u8]),
    /// Compressed streams.
    Compressed { bytes: &'a [u8], codec: Codec, filters: Vec<Filter>, is_split: bool },
}

/// A chunk.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    content: Content<'a>,
    typesize: usize,
    /// Bytes of the chunk when unpacked.
    pub(super) len: usize,
    /// Bytes of a block; the last may be shorter.
    pub(super) block: usize,
}

impl<'a> Chunk<'a> {
    /// A chunk of one element over and over, as special offsets of the index and special chunks mean it.
    pub(super) fn special(
        kind: u8,
        element: &[u8],
        typesize: usize,
        len: usize,
        block: usize,
    ) -> Result<Self> {
        let repeated = match (kind, typesize) {
            // Values that were never set are zeros here.
            (1 | 4, _) => Vec::new(),
            (2, 4) => f32::NAN.to_le_bytes().to_vec(),
            (2, 8) => f64::NAN.to_le_bytes().to_vec(),
            (3, _) if element.len() == typesize => element.to_vec(),
            _ => return Err(format!("a chunk has special values of the unknown kind {kind}")),
        };
        Ok(Self { content: Content::Repeated(repeated), typesize, len, block })
    }

    /// The chunk that begins with `bytes`.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let cut = || "a chunk is cut off".to_owned();
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or_else(cut)?;
        let number = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize
        };
        let (flags, typesize) = (header[2], usize::from(header[3]));
        let (len, block, packed) = (number(4), number(8).min(number(4)), number(12));
        let (more, special) = (header[31], (header[31] >> 4) & 7);
        if flags & EXTENDED != EXTENDED {
            return Err("a chunk has the header of Blosc 1, which is not supported".to_owned());
        }
        if header[30] != 0 || more & 0x89 != 0 {
            return Err("a chunk uses dictionaries, instructions or blocks of variable length, which are not supported".to_owned());
        }
        if typesize == 0 || block == 0 || packed < HEADER {
            return Err("the header of a chunk is damaged".to_owned());
        }
        let bytes = bytes.get(..packed).ok_or_else(cut)?;
        if special != 0 {
            return Self::special(special, &bytes[HEADER..], typesize, len, block);
        }
        let content = if flags & COPY != 0 {
            Content::Copy(bytes.get(HEADER..HEADER + len).ok_or_else(cut)?)
        } else {
            let codec = Codec::from_number(flags >> 5)?;
            let filters = Filter::pipeline(&header[16..22], &header[24..30], typesize)?;
            Content::Compressed { bytes, codec, filters, is_split: flags & ONE_STREAM == 0 }
        };
        Ok(Self { content, typesize, len, block })
    }

    /// Unpacks a block into `out`, which is made as long as the block.
    pub(super) fn unpack(&self, block: usize, out: &mut Vec<u8>) -> Result<()> {
        let start = block * self.block;
        let len = self.block.min(self.len.saturating_sub(start));
        out.clear();
        match &self.content {
            Content::Repeated(element) if element.is_empty() => out.resize(len, 0),
            Content::Repeated(element) => out.extend(element.iter().copied().cycle().take(len)),
            Content::Copy(bytes) => out.extend_from_slice(&bytes[start..start + len]),
            Content::Compressed { bytes, codec, filters, is_split } => {
                out.resize(len, 0);
                let streams = if *is_split && len == self.block { self.typesize } else { 1 };
                decompress(stream_of(bytes, block)?, *codec, streams, out)?;
                for filter in filters.iter().rev() {
                    let filtered = std::mem::replace(out, vec![0; len]);
                    filter.undo(&filtered, out);
                }
            }
        }
        Ok(())
    }
}

/// The streams of a block, and what follows them.
fn stream_of(bytes: &[u8], block: usize) -> Result<&[u8]> {
    let start = bytes.get(HEADER + 4 * block..).and_then(<[u8]>::first_chunk).map(|b| u32::from_le_bytes(*b));
    start
        .filter(|start| *start as usize >= HEADER)
        .and_then(|start| bytes.get(start as usize..))
        .ok_or_else(|| "the offset of a block is damaged".to_owned())
}

fn decompress(mut input: &[u8], codec: Codec, streams: usize, out: &mut [u8]) -> Result<()> {
    let cut = || "a block is cut off".to_owned();
    let len = out.len() / streams;
    if len == 0 || len * streams != out.len() {
        return Err("the header of a chunk is damaged".to_owned());
    }
    for out in out.chunks_exact_mut(len) {
        let (size, rest) = input.split_first_chunk::<4>().ok_or_else(cut)?;
        input = rest;
        let size = i32::from_le_bytes(*size);
        if size > 0 {
            let (packed, rest) = input.split_at_checked(size as usize).ok_or_else(cut)?;
            input = rest;
            if packed.len() == len { out.copy_from_slice(packed) } else { codec.decompress(packed, out)? }
        } else {
            out.fill(repeated_byte(size, &mut input)?);
        }
    }
    Ok(())
}

/// The byte that a stream without content consists of.
fn repeated_byte(size: i32, input: &mut &[u8]) -> Result<u8> {
    if size == 0 {
        return Ok(0);
    }
    let token = input.split_off_first().copied().unwrap_or(0);
    let byte = u8::try_from(-i64::from(size)).ok().filter(|_| token & 1 == 1);
    byte.ok_or_else(|| "the size of a stream is damaged".to_owned())
}
