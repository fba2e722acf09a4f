//! Images and their geometry.

use std::path::Path;

use ndarray::Array3;

use crate::{Error, Result};

/// v2's thickness of a plain slice, in units of its larger voxel edge: no other spacing comes near.
const SLICE_THICKNESS: f64 = 999.0;
/// Smaller volumes of a voxel with edges of one mean that two axes have one direction.
const SMALLEST_DETERMINANT: f64 = 1e-6;

/// Size and position of an image. (x, y, z) order, LPS world, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Voxels.
    pub size: [usize; 3],
    /// Voxel size.
    pub spacing: [f64; 3],
    /// World position of voxel (0, 0, 0).
    pub origin: [f64; 3],
    /// Direction cosines, row-major 3 x 3: column i is the direction of axis i.
    pub direction: [f64; 9],
}

impl Geometry {
    /// Along the axes of the world, from its origin on.
    pub(crate) fn plain(size: [usize; 3], spacing: [f64; 3]) -> Self {
        let direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        Self { size, spacing, origin: [0.0; 3], direction }
    }

    /// A picture has no geometry: voxels of 1, and v2's thickness.
    pub(crate) fn picture(width: usize, height: usize) -> Self {
        Self::plain([width, height, 1], [1.0, 1.0, SLICE_THICKNESS])
    }

    /// The geometry of a file with two or three axes; `axes` are their directions, one after the other. What the file
    /// does not store gets the default.
    ///
    /// # Errors
    /// Returns a message if there are fewer or more axes, or as [`Geometry::checked`].
    pub(crate) fn from_axes(
        size: &[usize],
        spacing: Option<Vec<f64>>,
        origin: Option<Vec<f64>>,
        axes: Option<Vec<f64>>,
    ) -> Result<Self, String> {
        let n = size.len();
        if !(2..=3).contains(&n) {
            return Err(format!("it has {n} axes; images of two or three are read"));
        }
        let given = |numbers: &Option<Vec<f64>>, len| numbers.as_ref().is_none_or(|found| found.len() == len);
        if !given(&spacing, n) || !given(&origin, n) || !given(&axes, n * n) {
            return Err(format!("its spacing, origin or directions are not those of {n} axes"));
        }
        let mut geometry = Self::plain([1; 3], [1.0; 3]);
        geometry.size[..n].copy_from_slice(size);
        spacing.iter().for_each(|spacing| geometry.spacing[..n].copy_from_slice(spacing));
        origin.iter().for_each(|origin| geometry.origin[..n].copy_from_slice(origin));
        for (axis, direction) in axes.iter().flat_map(|axes| axes.chunks_exact(n)).enumerate() {
            (0..n).for_each(|row| geometry.direction[3 * row + axis] = direction[row]);
        }
        // A negative spacing is ITK's old way to turn an axis round.
        for axis in (0..n).filter(|axis| geometry.spacing[*axis] < 0.0).collect::<Vec<_>>() {
            geometry.spacing[axis] *= -1.0;
            (0..3).for_each(|row| geometry.direction[3 * row + axis] *= -1.0);
        }
        if n == 2 { geometry.slice() } else { geometry.checked() }
    }

    /// The geometry of a slice that a file stores with two axes.
    ///
    /// # Errors
    /// As [`Geometry::checked`].
    pub(crate) fn slice(mut self) -> Result<Self, String> {
        self.spacing[2] = SLICE_THICKNESS * self.spacing[0].max(self.spacing[1]);
        self.origin[2] = 0.0;
        for (at, value) in [(2, 0.0), (5, 0.0), (6, 0.0), (7, 0.0), (8, 1.0)] {
            self.direction[at] = value;
        }
        self.checked()
    }

    /// Checks that the geometry is valid.
    ///
    /// # Errors
    /// Returns a message if a length or spacing is not positive, a number is not finite, or two axes have one
    /// direction.
    pub(crate) fn checked(self) -> Result<Self, String> {
        let Self { size, spacing, origin, direction: d } = self;
        let volume = d[0] * (d[4] * d[8] - d[5] * d[7]) - d[1] * (d[3] * d[8] - d[5] * d[6])
            + d[2] * (d[3] * d[7] - d[4] * d[6]);
        if size.contains(&0) {
            Err(format!("its size is {size:?} (x, y, z)"))
        } else if !spacing.iter().all(|length| *length > 0.0 && length.is_finite()) {
            Err(format!("its spacing is {spacing:?} (x, y, z)"))
        } else if !origin.iter().chain(&d).all(|number| number.is_finite())
            || volume.abs() < SMALLEST_DETERMINANT
        {
            Err(format!(
                "its origin {origin:?} and directions {d:?} must be finite, and the directions must span space"
            ))
        } else {
            Ok(self)
        }
    }

    /// The axes that a file of this image has: two for a plain slice, as it was read.
    pub(crate) fn axes(&self) -> usize {
        let [x, y, z] = self.spacing;
        let [_, _, a, _, _, b, c, d, e] = self.direction;
        let is_plain = self.origin[2] == 0.0 && [a, b, c, d, e] == [0.0, 0.0, 0.0, 0.0, 1.0];
        if is_plain && self.size[2] == 1 && z == SLICE_THICKNESS * x.max(y) { 2 } else { 3 }
    }

    /// The direction of an axis, as long as a file has axes.
    pub(crate) fn axis(&self, axis: usize) -> impl Iterator<Item = f64> {
        (0..self.axes()).map(move |row| self.direction[3 * row + axis])
    }

    /// Whether an array (z, y, x) has this size.
    ///
    /// # Errors
    /// Returns an error if it has another size.
    pub(crate) fn check_shape(&self, path: &Path, shape: &[usize]) -> Result<()> {
        if shape == self.size_zyx() {
            return Ok(());
        }
        Err(Error::invalid(path, format!("array {shape:?} does not fit geometry {:?}", self.size_zyx())))
    }

    /// Spacing in array order (z, y, x).
    #[must_use]
    pub fn spacing_zyx(&self) -> [f64; 3] {
        let [x, y, z] = self.spacing;
        [z, y, x]
    }

    /// Size in array order (z, y, x).
    #[must_use]
    pub fn size_zyx(&self) -> [usize; 3] {
        let [x, y, z] = self.size;
        [z, y, x]
    }
}

/// An image: voxels in (z, y, x) order and their geometry.
#[derive(Debug, Clone)]
pub struct Image {
    /// (z, y, x).
    pub data: Array3<f32>,
    /// Its geometry.
    pub geometry: Geometry,
}

impl Image {
    /// Voxels in their order, x fastest.
    ///
    /// # Errors
    /// Returns an error if there are more or fewer values than the geometry's voxels.
    pub(crate) fn new(path: &Path, geometry: Geometry, values: Vec<f32>) -> Result<Self> {
        let data = Array3::from_shape_vec(geometry.size_zyx(), values);
        Ok(Self { data: data.map_err(|error| Error::invalid(path, error))?, geometry })
    }
}
