//! Codecs and filters of blocks.

use std::io::Read;

use super::blosclz;

type Result<T> = std::result::Result<T, String>;

/// A codec that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    BloscLz,
    Lz4,
    Zlib,
    Zstd,
}

impl Codec {
    /// By its number in the flags of a chunk.
    pub(super) fn from_number(number: u8) -> Result<Self> {
        match number {
            0 => Ok(Self::BloscLz),
            1 => Ok(Self::Lz4),
            3 => Ok(Self::Zlib),
            4 => Ok(Self::Zstd),
            other => Err(format!(
                "codec {other} of Blosc2 is not supported; BloscLZ, LZ4, LZ4HC, Zlib and ZSTD are"
            )),
        }
    }

    /// Decompresses into the whole of `out`.
    pub(super) fn decompress(self, input: &[u8], out: &mut [u8]) -> Result<()> {
        let wanted = out.len();
        let found = match self {
            Self::BloscLz => blosclz::decompress(input, out).map(|()| wanted),
            Self::Lz4 => lz4_flex::block::decompress_into(input, out).ok(),
            Self::Zlib => {
                let mut decoder = flate2::read::ZlibDecoder::new(input);
                decoder.read_exact(out).ok().map(|()| wanted)
            }
            Self::Zstd => zstd::bulk::decompress_to_buffer(input, out).ok(),
        };
        if found == Some(wanted) { Ok(()) } else { Err(format!("a block of {self:?} is damaged")) }
    }
}

/// A filter that is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// Bytes of elements of so many bytes, sorted by their place in the element.
    Shuffle(usize),
}

impl Filter {
    /// The filters of a chunk in the order in which they were applied.
    pub(super) fn pipeline(numbers: &[u8], settings: &[u8], typesize: usize) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for (number, setting) in numbers.iter().zip(settings) {
            match number {
                // Truncated precision needs nothing to be undone.
                0 | 4 => {}
                1 if *setting == 0 => found.push(Self::Shuffle(typesize)),
                1 => found.push(Self::Shuffle(usize::from(*setting))),
                2 => return Err("the filter `bitshuffle` of Blosc2 is not supported".to_owned()),
                3 => return Err("the filter `delta` of Blosc2 is not supported".to_owned()),
                other => return Err(format!("filter {other} of Blosc2 is not supported")),
            }
        }
        Ok(found)
    }

    pub(super) fn undo(self, input: &[u8], out: &mut [u8]) {
        let Self::Shuffle(size) = self;
        match size {
            2 => unshuffle::<2>(input, out),
            4 => unshuffle::<4>(input, out),
            8 => unshuffle::<8>(input, out),
            _ => unshuffle_any(size, input, out),
        }
    }
}

fn unshuffle<const SIZE: usize>(input: &[u8], out: &mut [u8]) {
    let count = out.len() / SIZE;
    let (elements, rest) = out.as_chunks_mut::<SIZE>();
    for (byte, plane) in input.chunks_exact(count.max(1)).take(SIZE).enumerate() {
        elements.iter_mut().zip(plane).for_each(|(element, value)| element[byte] = *value);
    }
    rest.copy_from_slice(&input[SIZE * count..]);
}

fn unshuffle_any(size: usize, input: &[u8], out: &mut [u8]) {
    let count = out.len() / size;
    for (i, element) in out.chunks_exact_mut(size).enumerate() {
        element.iter_mut().enumerate().for_each(|(byte, value)| *value = input[byte * count + i]);
    }
    out[size * count..].copy_from_slice(&input[size * count..]);
}

/// Sorts the bytes of elements by their place in the element.
pub(super) fn shuffle(size: usize, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    for byte in 0..size {
        out.extend(input.chunks_exact(size).map(|element| element[byte]));
    }
    out.extend(input.chunks_exact(size).remainder());
    out
}
