//! Voxels as files store them: one after the other, x fastest.

use std::io::{Read, Write};
use std::path::Path;

use ndarray::ArrayView3;

use crate::{Error, Geometry, Image, Result, input};

/// Compression of what is written: fast; label maps shrink to nearly nothing anyway.
pub(crate) const LEVEL: u32 = 3;

/// Voxel types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    U8,
    I16,
    I32,
    F32,
    F64,
    I8,
    U16,
    U32,
    I64,
    U64,
}

impl Kind {
    pub(crate) fn size(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// Bytes of so many voxels; `None` when no machine could hold them.
    pub(crate) fn bytes(self, size: [usize; 3]) -> Option<usize> {
        size.iter().try_fold(self.size(), |n, len| n.checked_mul(*len))
    }
}

/// A linear function of the stored numbers. It is computed in double precision and rounded once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) slope: f64,
    pub(crate) intercept: f64,
}

/// What becomes of numbers that are not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotFinite {
    /// They stay.
    Keep,
    /// They become zero, before scaling.
    Zero,
}

/// Voxels that are still in their file.
pub(crate) struct Stored<R> {
    pub(crate) geometry: Geometry,
    pub(crate) kind: Kind,
    pub(crate) big_endian: bool,
    /// Begins with the first voxel.
    pub(crate) stream: R,
    /// The file's format, for errors.
    pub(crate) format: &'static str,
    pub(crate) scale: Option<Scale>,
    pub(crate) not_finite: NotFinite,
    /// Whether the stream ends with a checksum. It is then read to its end.
    pub(crate) compressed: bool,
}

impl<R: Read> Stored<R> {
    /// Gives every slice (number, voxels in the order y, x) to `body`. One slice is in memory.
    ///
    /// # Errors
    /// Returns an error if the file is truncated or damaged.
    pub(crate) fn for_each_slice(mut self, path: &Path, mut body: impl FnMut(usize, &[f32])) -> Result<()> {
        let size = self.geometry.size;
        let wanted = self
            .kind
            .bytes(size)
            .ok_or_else(|| Error::invalid(path, "its voxels would not fit into memory"))?;
        let [_, _, slices] = size;
        // Not allocated ahead: a small hostile file may claim any size.
        let mut bytes = Vec::new();
        for z in 0..slices {
            bytes.clear();
            let slice = self.stream.by_ref().take((wanted / slices) as u64).read_to_end(&mut bytes);
            slice.map_err(|source| unreadable(path, self.format, source))?;
            if bytes.len() < wanted / slices {
                let got = z * (wanted / slices) + bytes.len();
                return Err(Error::invalid(
                    path,
                    format!("truncated: {got} bytes of voxels instead of {wanted}; copy it again"),
                ));
            }
            body(z, &self.convert(&bytes));
        }
        if self.compressed {
            input::verify_end(&mut self.stream).map_err(|source| unreadable(path, self.format, source))?;
        }
        Ok(())
    }

    fn convert(&self, bytes: &[u8]) -> Vec<f32> {
        let values = decode(bytes, self.kind, self.big_endian, self.scale, self.not_finite);
        debug_assert_eq!(values.len() * self.kind.size(), bytes.len());
        values
    }

    /// Reads the whole image.
    ///
    /// # Errors
    /// As [`Stored::for_each_slice`].
    pub(crate) fn read(self, path: &Path) -> Result<Image> {
        let (geometry, mut values) = (self.geometry, Vec::new());
        self.for_each_slice(path, |_, slice| values.extend_from_slice(slice))?;
        Image::new(path, geometry, values)
    }
}

pub(crate) fn unreadable(path: &Path, format: &str, why: impl std::fmt::Display) -> Error {
    Error::invalid(path, format!("not a readable {format} ({why}); copy it again"))
}

/// Writes labels of (z, y, x) as bytes.
pub(crate) fn write_labels(out: &mut dyn Write, labels: ArrayView3<'_, u8>) -> std::io::Result<()> {
    let bytes: Vec<u8> = labels.iter().copied().collect();
    out.write_all(&bytes)
}

/// Writes labels of (z, y, x) as little-endian numbers of 16 bits.
pub(crate) fn write_wide_labels(out: &mut dyn Write, labels: ArrayView3<'_, u16>) -> std::io::Result<()> {
    labels.outer_iter().try_for_each(|slice| {
        let bytes: Vec<u8> = slice.iter().flat_map(|label| label.to_le_bytes()).collect();
        out.write_all(&bytes)
    })
}

fn decode(bytes: &[u8], kind: Kind, big: bool, scale: Option<Scale>, not_finite: NotFinite) -> Vec<f32> {
    macro_rules! each {
        ($type:ty, $clear:expr) => {{
            let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            let number = |b: &[u8; size_of::<$type>()]| {
                if big { <$type>::from_be_bytes(*b) } else { <$type>::from_le_bytes(*b) }
            };
            let clear: fn($type) -> $type = $clear;
            match scale {
                None => chunks.iter().map(|b| clear(number(b)) as f32).collect(),
                Some(Scale { slope, intercept }) => {
                    chunks.iter().map(|b| (clear(number(b)) as f64 * slope + intercept) as f32).collect()
                }
            }
        }};
    }
    macro_rules! float {
        ($type:ty) => {
            match not_finite {
                NotFinite::Keep => each!($type, |value| value),
                NotFinite::Zero => each!($type, |value| if value.is_finite() { value } else { 0.0 }),
            }
        };
    }
    match kind {
        Kind::U8 => each!(u8, |value| value),
        Kind::I8 => each!(i8, |value| value),
        Kind::I16 => each!(i16, |value| value),
        Kind::U16 => each!(u16, |value| value),
        Kind::I32 => each!(i32, |value| value),
        Kind::U32 => each!(u32, |value| value),
        Kind::I64 => each!(i64, |value| value),
        Kind::U64 => each!(u64, |value| value),
        Kind::F32 => float!(f32),
        Kind::F64 => float!(f64),
    }
}
