//! An array of four axes that is written in boxes, in any order, and becomes an npz archive: it is kept in a file
//! without a name meanwhile, not in memory.

use std::io::{BufReader, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView3, ArrayView4};

use crate::npz::write_archive;
use crate::pickle::DType;
use crate::{Error, Result};

/// Elements of a [`TempArray`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TempArrayType {
    /// float16
    Half,
    /// float32
    Single,
}

/// An array (classes, z, y, x) in a file.
#[derive(Debug)]
pub struct TempArray {
    file: std::fs::File,
    folder: PathBuf,
    kind: TempArrayType,
    shape: [usize; 4],
}

impl TempArray {
    /// Zeros; the file lies in `folder`.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn new(folder: &Path, kind: TempArrayType, shape: [usize; 4]) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(|error| Error::io(folder, error))?;
        let stored = Self { file, folder: folder.to_owned(), kind, shape };
        let bytes = shape.iter().product::<usize>() as u64 * stored.element();
        stored.file.set_len(bytes).map_err(|error| Error::io(folder, error))?;
        Ok(stored)
    }

    fn element(&self) -> u64 {
        if self.kind == TempArrayType::Half { 2 } else { 4 }
    }

    /// One value for a whole class.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn fill(&mut self, class: usize, value: f32) -> Result<()> {
        let [_, z, y, x] = self.shape;
        let plane = vec![value; y * x];
        (0..z).try_for_each(|row| self.write_at(self.index(class, [row, 0, 0]), plane.iter().copied()))
    }

    /// Writes a box (classes, z, y, x) whose first voxel is `at`.
    ///
    /// # Errors
    /// Returns an error if the box reaches outside or the file cannot be written.
    pub fn put(&mut self, at: [usize; 3], values: ArrayView4<'_, f32>) -> Result<()> {
        let fits = (0..3).all(|axis| at[axis] + values.shape()[axis + 1] <= self.shape[axis + 1]);
        if values.shape()[0] != self.shape[0] || !fits {
            return Err(Error::invalid(&self.folder, "probabilities that do not fit the image"));
        }
        for (class, volume) in values.outer_iter().enumerate() {
            self.put_class(class, at, volume)?;
        }
        Ok(())
    }

    /// Whole planes are written at once, others line by line.
    fn put_class(&self, class: usize, at: [usize; 3], volume: ArrayView3<'_, f32>) -> Result<()> {
        let is_whole = volume.shape()[1..] == self.shape[2..];
        for (z, plane) in volume.outer_iter().enumerate() {
            if is_whole {
                self.write_at(self.index(class, [at[0] + z, 0, 0]), plane.iter().copied())?;
                continue;
            }
            for (y, line) in plane.outer_iter().enumerate() {
                self.write_at(self.index(class, [at[0] + z, at[1] + y, at[2]]), line.iter().copied())?;
            }
        }
        Ok(())
    }

    fn index(&self, class: usize, [z, y, x]: [usize; 3]) -> u64 {
        let [_, nz, ny, nx] = self.shape;
        (((class * nz + z) * ny + y) * nx + x) as u64
    }

    fn write_at(&self, index: u64, values: impl Iterator<Item = f32>) -> Result<()> {
        let bytes: Vec<u8> = match self.kind {
            TempArrayType::Half => {
                values.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect()
            }
            TempArrayType::Single => values.flat_map(f32::to_le_bytes).collect(),
        };
        let written = self.file.write_all_at(&bytes, index * self.element());
        written.map_err(|error| Error::io(&self.folder, error))
    }

    /// Writes the compressed archive with the array under `key`.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written.
    pub fn save(mut self, path: &Path, key: &str) -> Result<()> {
        let dtype = if self.kind == TempArrayType::Half { DType::F16 } else { DType::F32 };
        self.file.rewind().map_err(|error| Error::io(path, error))?;
        let mut values = BufReader::with_capacity(1 << 20, self.file);
        write_archive(path, key, dtype, &self.shape, |mut out: &mut dyn Write| {
            std::io::copy(&mut values, &mut out).map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, s};

    use super::*;
    use crate::npz::load_f32;

    #[test]
    fn boxes_become_the_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let array = Array4::from_shape_fn((2, 3, 4, 5), |(c, z, y, x)| (c * 60 + z * 20 + y * 5 + x) as f32);
        for (kind, axis) in [(TempArrayType::Half, 0), (TempArrayType::Single, 1), (TempArrayType::Half, 2)] {
            let mut stored = TempArray::new(folder.path(), kind, [2, 3, 4, 5]).unwrap();
            for row in (0..array.shape()[axis + 1]).rev() {
                let mut at = [0; 3];
                at[axis] = row;
                stored.put(at, array.slice_axis(ndarray::Axis(axis + 1), (row..row + 1).into())).unwrap();
            }
            assert!(stored.put([1, 0, 0], array.view()).is_err());
            stored.save(&path, "softmax").unwrap();
            assert_eq!(load_f32(&path, "softmax").unwrap(), array);
        }
        let mut stored = TempArray::new(folder.path(), TempArrayType::Single, [2, 3, 4, 5]).unwrap();
        stored.fill(1, 1.0).unwrap();
        stored.save(&path, "p").unwrap();
        let filled = load_f32(&path, "p").unwrap();
        assert!(filled.slice(s![1, .., .., ..]).iter().all(|value| *value == 1.0) && filled.sum() == 60.0);
    }
}
