//! Volumes in `.npz` archives, read by crop: the array is decompressed as a stream, and what lies outside the crop is discarded.

use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::ArrayViewMut4;

use crate::npy::Header;
use crate::{Error, Result, elements, npz};

/// An array of (c, z, y, x) or (z, y, x) of an archive. Nothing of it stays in memory.
#[derive(Debug)]
pub struct CompressedVolume {
    path: PathBuf,
    key: String,
    shape: [usize; 4],
}

impl CompressedVolume {
    /// Reads the header.
    ///
    /// # Errors
    /// As [`npz::load`]; returns an error too if the array has another number of axes, is empty or not numeric.
    pub fn open(path: &Path, key: &str) -> Result<Self> {
        let header = npz::member(path, key, |header, _, _| Ok(header))?;
        let shape = match header.shape.as_slice() {
            [c, z, y, x] => [*c, *z, *y, *x],
            [z, y, x] => [1, *z, *y, *x],
            other => {
                let message = format!("array `{key}` has {} axes instead of 3 or 4", other.len());
                return Err(Error::invalid(path, message));
            }
        };
        if elements::to_f32(header.dtype, &[]).is_none() {
            return Err(Error::invalid(path, format!("array `{key}` is not numeric")));
        }
        if shape.contains(&0) {
            return Err(Error::invalid(path, format!("array `{key}` is empty: its shape is {shape:?}")));
        }
        Ok(Self { path: path.to_owned(), key: key.to_owned(), shape })
    }

    /// (c, z, y, x).
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Copies a box of some channels into an array of its shape, (c, z, y, x). The ranges must lie inside.
    ///
    /// # Errors
    /// Returns an error if the archive is damaged or has changed since it was opened.
    pub fn crop(
        &self,
        channels: Range<usize>,
        [z, y, x]: [Range<usize>; 3],
        out: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        npz::member(&self.path, &self.key, |header, first, rest| {
            if header.shape != self.shape[4 - header.shape.len().min(4)..] {
                return Err(Error::invalid(&self.path, "the array has another shape than before"));
            }
            // Four axes or three, the file has them from the slowest to the fastest or the other way round.
            let (mut shape, mut space, mut out) = (self.shape, [channels, z, y, x], out);
            if header.fortran_order {
                shape.reverse();
                space.reverse();
                out = out.reversed_axes();
            }
            let stream = BufReader::with_capacity(1 << 16, first.as_slice().chain(rest));
            Rows { header: &header, stream, at: 0 }.copy(shape, &space, out).map_err(|error| match error {
                None => Error::invalid(&self.path, format!("array `{}` is not numeric", self.key)),
                Some(source) => Error::io(&self.path, source),
            })
        })
    }
}

/// The elements of an array, one after the other.
struct Rows<'a, R> {
    header: &'a Header,
    stream: R,
    /// The element that comes next.
    at: usize,
}

impl<R: BufRead> Rows<'_, R> {
    /// Copies a box out of a C-order array of `shape`. The error is `None` for elements that are not numbers.
    fn copy(
        &mut self,
        shape: [usize; 4],
        space: &[Range<usize>; 4],
        mut out: ArrayViewMut4<'_, f32>,
    ) -> std::result::Result<(), Option<std::io::Error>> {
        let [c, z, y, x] = space;
        for (channel, mut volume) in c.clone().zip(out.outer_iter_mut()) {
            for (plane, mut slice) in z.clone().zip(volume.outer_iter_mut()) {
                for (row, mut line) in y.clone().zip(slice.outer_iter_mut()) {
                    let start = ((channel * shape[1] + plane) * shape[2] + row) * shape[3] + x.start;
                    let bytes = self.row(start, x.len())?;
                    let values = elements::to_f32(self.header.dtype, &bytes).ok_or(None)?;
                    line.iter_mut().zip(values).for_each(|(to, from)| *to = from);
                }
            }
        }
        Ok(())
    }

    /// `len` elements from `start` on, which must not lie before those that were read.
    fn row(&mut self, start: usize, len: usize) -> std::io::Result<Vec<u8>> {
        let size = self.header.dtype.size();
        let mut skip = (start - self.at) * size;
        while skip > 0 {
            let there = self.stream.fill_buf()?.len().min(skip);
            if there == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.stream.consume(there);
            skip -= there;
        }
        let mut bytes = vec![0; len * size];
        self.stream.read_exact(&mut bytes)?;
        self.at = start + len;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4, s};

    use super::*;
    use crate::npy::header_bytes;
    use crate::pickle::DType;

    fn number((c, z, y, x): (usize, usize, usize, usize)) -> f32 {
        (c * 1000 + z * 100 + y * 10 + x) as f32
    }

    #[test]
    fn a_crop_of_an_archive_is_the_crop_of_the_array() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let array = Array4::from_shape_fn((2, 3, 4, 5), number);
        npz::save_f32(&path, "data", array.view()).unwrap();
        let volume = CompressedVolume::open(&path, "data").unwrap();
        assert_eq!(volume.shape(), [2, 3, 4, 5]);
        for (channels, z, y, x) in
            [(1..2, 1..3, 0..2, 2..5), (0..2, 0..3, 0..4, 0..5), (0..1, 2..2, 1..2, 0..1)]
        {
            let wanted = array.slice(s![channels.clone(), z.clone(), y.clone(), x.clone()]);
            let mut crop = Array4::zeros(wanted.dim());
            volume.crop(channels, [z, y, x], crop.view_mut()).unwrap();
            assert_eq!(crop, wanted);
        }
    }

    #[test]
    fn bytes_of_three_axes_have_one_channel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let array = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z * 20 + y * 5 + x) as u8);
        npz::save_u8(&path, "data", array.view()).unwrap();
        let mut crop = Array4::zeros((1, 1, 2, 3));
        let volume = CompressedVolume::open(&path, "data").unwrap();
        volume.crop(0..1, [2..3, 1..3, 0..3], crop.view_mut()).unwrap();
        assert_eq!(crop.index_axis(ndarray::Axis(0), 0), array.slice(s![2..3, 1..3, 0..3]).mapv(f32::from));
    }

    /// NumPy keeps an array whose first axis is fastest as it is.
    #[test]
    fn arrays_whose_first_axis_is_fastest_are_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let array = Array4::from_shape_fn((2, 3, 4, 5), number);
        let mut npy = header_bytes(DType::F32, array.shape());
        let at = npy.windows(5).position(|window| window == b"False").unwrap();
        npy[at..at + 5].copy_from_slice(b"True ");
        npy.extend(array.t().iter().flat_map(|value| value.to_le_bytes()));
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        archive.start_file("data.npy", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, &npy).unwrap();
        archive.finish().unwrap();
        let mut crop = Array4::zeros((2, 2, 3, 2));
        let volume = CompressedVolume::open(&path, "data").unwrap();
        volume.crop(0..2, [1..3, 1..4, 3..5], crop.view_mut()).unwrap();
        assert_eq!(crop, array.slice(s![0..2, 1..3, 1..4, 3..5]));
    }
}
