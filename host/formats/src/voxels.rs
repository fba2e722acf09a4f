//! Voxels as files have them: one after the other, x fastest.

use std::io::{Read, Write};
use std::path::Path;

use ndarray::ArrayView3;

use crate::{Error, Geometry, Image, Result};

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

/// Voxels that are still in their file.
pub(crate) struct Stored<R> {
    pub(crate) geometry: Geometry,
    pub(crate) kind: Kind,
    pub(crate) big_endian: bool,
    /// Begins with the first voxel.
    pub(crate) stream: R,
    /// What the file is, for errors.
    pub(crate) format: &'static str,
}

impl<R: Read> Stored<R> {
    /// Gives every slice (number, voxels in the order y, x) to `body`. One slice is in memory.
    ///
    /// # Errors
    /// A truncated or otherwise damaged file.
    pub(crate) fn for_each_slice(
        mut self,
        path: &Path,
        mut body: impl FnMut(usize, &mut [f32]),
    ) -> Result<()> {
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
            body(z, &mut convert(&bytes, self.kind, self.big_endian));
        }
        Ok(())
    }

    /// All of them.
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

fn convert(bytes: &[u8], kind: Kind, big: bool) -> Vec<f32> {
    macro_rules! each {
        ($type:ty) => {
            bytes
                .as_chunks::<{ size_of::<$type>() }>()
                .0
                .iter()
                .map(|b| if big { <$type>::from_be_bytes(*b) } else { <$type>::from_le_bytes(*b) } as f32)
                .collect()
        };
    }
    match kind {
        Kind::U8 => each!(u8),
        Kind::I8 => each!(i8),
        Kind::I16 => each!(i16),
        Kind::U16 => each!(u16),
        Kind::I32 => each!(i32),
        Kind::U32 => each!(u32),
        Kind::I64 => each!(i64),
        Kind::U64 => each!(u64),
        Kind::F32 => each!(f32),
        Kind::F64 => each!(f64),
    }
}
