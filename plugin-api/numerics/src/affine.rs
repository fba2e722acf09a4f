//! Sampling on an affine grid, deformed or not: `scipy.ndimage.map_coordinates(mode="constant")` for rotation, scaling
//! and elastic deformation.

use ndarray::{Array3, ArrayView3};

use crate::axis::cubic_weights;
use crate::label_resize::Votes;

/// Maps an output voxel to a position in the input: `matrix * (voxel - output_center) + input_center`, (z, y, x).
///
/// Source: the grids of batchgenerators' `SpatialTransform`.
///
/// ```
/// use nnunet_numerics::Affine;
///
/// // A rotation by 90 degrees in the plane of y and x about the center of a 5 x 5 slice.
/// let matrix = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]];
/// let affine = Affine { matrix, output_center: [0.0, 2.0, 2.0], input_center: [0.0, 2.0, 2.0] };
/// assert!(affine.is_planar());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Rows give the input's z, y and x.
    pub matrix: [[f64; 3]; 3],
    /// Point of the output that the matrix leaves in place.
    pub output_center: [f64; 3],
    /// Where that point lies in the input.
    pub input_center: [f64; 3],
}

/// What is added to an output voxel before the matrix, voxels: fields of z, y and x. Their first axis may have length
/// one: all planes are then deformed alike.
pub type Displacement = [Array3<f32>; 3];

impl Affine {
    /// Whether every plane z is mapped into itself: slices, or volumes changed slice by slice.
    #[must_use]
    pub fn is_planar(&self) -> bool {
        let [z, y, x] = self.matrix;
        z == [1.0, 0.0, 0.0] && y[0] == 0.0 && x[0] == 0.0 && self.output_center[0] == self.input_center[0]
    }

    fn times(&self, from: [f64; 3]) -> [f64; 3] {
        self.matrix.map(|row| row[0] * from[0] + row[1] * from[1] + row[2] * from[2])
    }

    /// Position of voxel (z, y, 0).
    pub(crate) fn row_start(&self, z: usize, y: usize) -> [f64; 3] {
        let [cz, cy, cx] = self.output_center;
        let turned = self.times([z as f64 - cz, y as f64 - cy, -cx]);
        std::array::from_fn(|axis| turned[axis] + self.input_center[axis])
    }

    /// Calls `visit` with the position of every voxel of a grid of `shape`, in order.
    fn positions(
        &self,
        shape: [usize; 3],
        displacement: Option<&Displacement>,
        mut visit: impl FnMut([f64; 3]),
    ) {
        let step = self.matrix.map(|row| row[2]);
        for (z, y) in (0..shape[0]).flat_map(|z| (0..shape[1]).map(move |y| (z, y))) {
            let start = self.row_start(z, y);
            let straight = |x: usize| std::array::from_fn(|axis| start[axis] + x as f64 * step[axis]);
            let Some(fields) = displacement else {
                (0..shape[2]).for_each(|x| visit(straight(x)));
                continue;
            };
            for x in 0..shape[2] {
                let at: [f64; 3] = straight(x);
                let moved = fields.each_ref().map(|field| f64::from(field[[z.min(field.dim().0 - 1), y, x]]));
                let moved = self.times(moved);
                visit(std::array::from_fn(|axis| at[axis] + moved[axis]));
            }
        }
    }
}

/// Samples an image of which `coefficients` are the cubic spline coefficients ([`prefilter`](crate::prefilter) with
/// [`Boundary::Mirror`](crate::Boundary); of a [planar](Affine::is_planar) grid along y and x only). Positions outside
/// the input give `outside`.
///
/// Source: `scipy.ndimage.map_coordinates(order=3, mode="constant")`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Affine, Boundary, prefilter, sample_affine};
///
/// let image = Array3::from_shape_fn((1, 4, 4), |(_, y, x)| (4 * y + x) as f32);
/// let mut coefficients = image.clone();
/// prefilter(coefficients.view_mut(), Boundary::Mirror, 1..3);
/// // One voxel further along x.
/// let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// let shift = Affine { matrix, output_center: [0.0; 3], input_center: [0.0, 0.0, 1.0] };
/// let shifted = sample_affine(coefficients.view(), [1, 4, 4], &shift, None, 0.0);
/// assert!((shifted[[0, 2, 1]] - image[[0, 2, 2]]).abs() < 1e-4);
/// assert_eq!(shifted[[0, 2, 3]], 0.0, "outside the image");
/// ```
#[must_use]
pub fn sample_affine(
    coefficients: ArrayView3<'_, f32>,
    shape: [usize; 3],
    affine: &Affine,
    displacement: Option<&Displacement>,
    outside: f32,
) -> Array3<f32> {
    let coefficients = coefficients.as_standard_layout();
    let input = Grid::new(&coefficients);
    let mut out = Vec::with_capacity(shape.iter().product());
    if affine.is_planar() {
        affine.positions(shape, displacement, |at| {
            out.push(if input.is_outside(at) { outside } else { input.cubic_in_plane(at) });
        });
    } else {
        affine.positions(shape, displacement, |at| {
            out.push(if input.is_outside(at) { outside } else { input.cubic(at) });
        });
    }
    Array3::from_shape_vec(shape, out).unwrap_or_default()
}

/// Samples a label map with linear indicators: the strongest label wins; positions outside give `outside`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Affine, sample_affine_labels};
///
/// let labels = Array3::from_shape_fn((1, 4, 4), |(_, _, x)| if x < 2 { 0.0 } else { 3.0 });
/// let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5]];
/// let twice = Affine { matrix, output_center: [0.0; 3], input_center: [0.0; 3] };
/// let enlarged = sample_affine_labels(labels.view(), [1, 4, 7], &twice, None, -1.0);
/// assert!(enlarged.iter().all(|label| [0.0, 3.0].contains(label)), "no value between two labels");
/// ```
#[must_use]
pub fn sample_affine_labels(
    labels: ArrayView3<'_, f32>,
    shape: [usize; 3],
    affine: &Affine,
    displacement: Option<&Displacement>,
    outside: f32,
) -> Array3<f32> {
    let labels = labels.as_standard_layout();
    let input = Grid::new(&labels);
    let mut out = Vec::with_capacity(shape.iter().product());
    affine.positions(shape, displacement, |at| {
        out.push(if input.is_outside(at) { outside } else { input.strongest(at) });
    });
    Array3::from_shape_vec(shape, out).unwrap_or_default()
}

/// Voxels in C order and their shape.
struct Grid<'a> {
    values: &'a [f32],
    extent: [usize; 3],
}

impl<'a> Grid<'a> {
    fn new(array: &'a ndarray::CowArray<'_, f32, ndarray::Ix3>) -> Self {
        let extent = [array.shape()[0], array.shape()[1], array.shape()[2]];
        Self { values: array.as_slice().unwrap_or_default(), extent }
    }

    fn is_outside(&self, at: [f64; 3]) -> bool {
        at.iter().zip(self.extent).any(|(at, n)| *at < 0.0 || *at > (n - 1) as f64)
    }

    /// First of the four samples around a position, whether all four exist, and their weights.
    fn taps(&self, axis: usize, at: f64) -> (isize, bool, [f32; 4]) {
        // Positions are not negative here: the conversion is the floor.
        let floor = at as isize;
        let inner = floor >= 1 && floor + 2 < self.extent[axis] as isize;
        (floor - 1, inner, cubic_weights(at - floor as f64).map(|weight| weight as f32))
    }

    fn cubic(&self, at: [f64; 3]) -> f32 {
        let [(z, inner_z, wz), (y, inner_y, wy), (x, inner_x, wx)] =
            std::array::from_fn(|axis| self.taps(axis, at[axis]));
        if !(inner_z && inner_y && inner_x) {
            return self.cubic_at_edge([z, y, x], [wz, wy, wx]);
        }
        let [_, ny, nx] = self.extent;
        let mut sum = [0.0; 4];
        for (dz, wz) in wz.into_iter().enumerate() {
            let plane = ((z as usize + dz) * ny + y as usize) * nx + x as usize;
            add_rows(&mut sum, &self.values[plane..plane + 3 * nx + 4], nx, wy.map(|wy| wz * wy));
        }
        dot(sum, wx)
    }

    fn cubic_in_plane(&self, at: [f64; 3]) -> f32 {
        let plane = at[0].round() as usize;
        let [(y, inner_y, wy), (x, inner_x, wx)] = [1, 2].map(|axis| self.taps(axis, at[axis]));
        if !(inner_y && inner_x) {
            return self.cubic_at_edge([plane as isize - 1, y, x], [[0.0, 1.0, 0.0, 0.0], wy, wx]);
        }
        let [_, ny, nx] = self.extent;
        let start = (plane * ny + y as usize) * nx + x as usize;
        let mut sum = [0.0; 4];
        add_rows(&mut sum, &self.values[start..start + 3 * nx + 4], nx, wy);
        dot(sum, wx)
    }

    fn cubic_at_edge(&self, first: [isize; 3], weights: [[f32; 4]; 3]) -> f32 {
        let index = |axis: usize, tap: usize| mirror(first[axis] + tap as isize, self.extent[axis]);
        let columns: [usize; 4] = std::array::from_fn(|tap| index(2, tap));
        let mut sum = 0.0;
        for (dz, wz) in weights[0].into_iter().enumerate().filter(|(_, weight)| *weight != 0.0) {
            for (dy, wy) in weights[1].into_iter().enumerate() {
                let row = (index(0, dz) * self.extent[1] + index(1, dy)) * self.extent[2];
                let line: f32 =
                    columns.iter().zip(weights[2]).map(|(column, wx)| wx * self.values[row + column]).sum();
                sum += wz * wy * line;
            }
        }
        sum
    }

    /// Most voxels have one label in all eight corners.
    fn strongest(&self, at: [f64; 3]) -> f32 {
        let low = at.map(|at| at as usize);
        let step: [usize; 3] = std::array::from_fn(|axis| usize::from(low[axis] + 1 < self.extent[axis]));
        let [_, ny, nx] = self.extent;
        let start = (low[0] * ny + low[1]) * nx + low[2];
        let (dz, dy, dx) = (step[0] * ny * nx, step[1] * nx, step[2]);
        let corners: [f32; 8] = std::array::from_fn(|i| {
            self.values[start + (i >> 2 & 1) * dz + (i >> 1 & 1) * dy + (i & 1) * dx]
        });
        if corners[1..].iter().all(|label| *label == corners[0]) {
            return corners[0];
        }
        let fraction: [f64; 3] = std::array::from_fn(|axis| at[axis] - low[axis] as f64);
        let along = fraction.map(|fraction| [1.0 - fraction, fraction]);
        let mut votes = Votes::default();
        for (i, label) in corners.into_iter().enumerate() {
            votes.add(label, along[0][i >> 2 & 1] * along[1][i >> 1 & 1] * along[2][i & 1]);
        }
        votes.winner(|| {
            let [z, y, x] = at.map(|at| (at + 0.5).floor() as usize);
            self.values[(z * ny + y) * nx + x]
        })
    }
}

/// Adds four rows of four neighbors, `stride` apart, with a weight each.
fn add_rows(sum: &mut [f32; 4], rows: &[f32], stride: usize, weights: [f32; 4]) {
    for (row, weight) in weights.into_iter().enumerate() {
        let taps = &rows[row * stride..row * stride + 4];
        sum.iter_mut().zip(taps).for_each(|(sum, tap)| *sum += weight * tap);
    }
}

fn dot(a: [f32; 4], b: [f32; 4]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
}

/// Index of a sample beyond the ends, mirrored about the edge sample.
fn mirror(at: isize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n as isize - 1);
    let folded = at.rem_euclid(period);
    (if folded < n as isize { folded } else { period - folded }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Boundary, prefilter};

    const UNIT: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

    #[test]
    fn the_identity_returns_the_image_in_space_and_in_planes() {
        let image = Array3::from_shape_fn((5, 6, 7), |(z, y, x)| ((z * 31 + y * 17 + x * 7) % 13) as f32);
        for shift in [0.0, 1.0] {
            // A shifted center makes the same map one that is not planar.
            let affine = Affine { matrix: UNIT, output_center: [0.0; 3], input_center: [shift, 0.0, 0.0] };
            let mut coefficients = image.clone();
            prefilter(coefficients.view_mut(), Boundary::Mirror, if shift == 0.0 { 1..3 } else { 0..3 });
            let out = sample_affine(coefficients.view(), [4, 6, 7], &affine, None, -9.0);
            let expected = image.slice(ndarray::s![shift as usize..shift as usize + 4, .., ..]);
            assert!(out.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{shift}");
        }
    }

    #[test]
    fn displacements_move_labels_and_leave_the_outside() {
        let labels = Array3::from_shape_fn((1, 2, 5), |(_, _, x)| x as f32);
        let affine = Affine { matrix: UNIT, output_center: [0.0; 3], input_center: [0.0; 3] };
        let field = |value: f32| Array3::from_elem((1, 2, 5), value);
        let displacement = [field(0.0), field(0.0), field(2.0)];
        let out = sample_affine_labels(labels.view(), [1, 2, 5], &affine, Some(&displacement), -1.0);
        assert_eq!(out.iter().copied().take(5).collect::<Vec<_>>(), [2.0, 3.0, 4.0, -1.0, -1.0]);
    }
}
