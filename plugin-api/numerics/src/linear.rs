//! Linear and nearest sampling on an affine grid: torch's `grid_sample(align_corners=False)`.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3, CowArray, Ix3};

use crate::affine::Affine;
use crate::wide::wide;

/// Distance from the border within which neighbors are looked up one by one: more than single precision rounds away.
const MARGIN: f64 = 1e-3;
/// Voxels whose positions are computed together.
pub(crate) const LANES: usize = 16;
/// Adding this rounds a small number to an integer, halves to the even one.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Samples an image with linear interpolation; the image is 0 outside.
///
/// Source: `torch.nn.functional.grid_sample(mode="bilinear", padding_mode="zeros", align_corners=False)`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Affine, sample_linear};
///
/// let image = Array3::from_shape_fn((1, 1, 4), |(_, _, x)| x as f32);
/// let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// let shift = Affine { matrix, output_center: [0.0; 3], input_center: [0.0, 0.0, 0.5] };
/// let mut shifted = Array3::zeros((1, 1, 4));
/// sample_linear(image.view(), &shift, shifted.view_mut());
/// assert_eq!(shifted.as_slice(), Some(&[0.5, 1.5, 2.5, 1.5][..]));
/// ```
pub fn sample_linear(image: ArrayView3<'_, f32>, affine: &Affine, out: ArrayViewMut3<'_, f32>) {
    let image = image.as_standard_layout();
    let grid = Grid::new(&image, affine.is_planar());
    let mut cells = Cells::default();
    for_each_row(affine, out, |row, out| {
        let inner = row.inner(&grid, out.len());
        for x in (0..inner.start).chain(inner.end..out.len()) {
            out[x] = grid.linear_at_edge(row.at(x));
        }
        let first = inner.start;
        let out = &mut out[inner];
        wide(
            #[inline(always)]
            || {
                for (block, out) in out.chunks_mut(LANES).enumerate() {
                    cells.fill(&grid, row, first + block * LANES);
                    grid.linear(&cells, out);
                }
            },
        );
    });
}

/// Samples an image or a label map at the nearest voxel; outside it is `outside`.
///
/// Source: `torch.nn.functional.grid_sample(mode="nearest", padding_mode="zeros", align_corners=False)`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Affine, sample_nearest};
///
/// let labels = Array3::from_shape_fn((1, 1, 4), |(_, _, x)| x as f32);
/// let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// let shift = Affine { matrix, output_center: [0.0; 3], input_center: [0.0, 0.0, 0.6] };
/// let mut shifted = Array3::zeros((1, 1, 4));
/// sample_nearest(labels.view(), &shift, -1.0, shifted.view_mut());
/// assert_eq!(shifted.as_slice(), Some(&[1.0, 2.0, 3.0, -1.0][..]));
/// ```
pub fn sample_nearest(
    values: ArrayView3<'_, f32>,
    affine: &Affine,
    outside: f32,
    out: ArrayViewMut3<'_, f32>,
) {
    let values = values.as_standard_layout();
    let grid = Grid::new(&values, affine.is_planar());
    for_each_row(affine, out, |row, out| {
        out.iter_mut().enumerate().for_each(|(x, out)| *out = grid.nearest(row.at(x), outside));
    });
}

/// Calls `work` with each row of an output grid and its positions.
pub(crate) fn for_each_row(
    affine: &Affine,
    mut out: ArrayViewMut3<'_, f32>,
    mut work: impl FnMut(&Row, &mut [f32]),
) {
    let mut line = Vec::new();
    for (z, mut plane) in out.outer_iter_mut().enumerate() {
        for (y, mut voxels) in plane.outer_iter_mut().enumerate() {
            let row = Row { start: affine.row_start(z, y), step: affine.matrix.map(|row| row[2]) };
            match voxels.as_slice_mut() {
                Some(voxels) => work(&row, voxels),
                None => {
                    line.resize(voxels.len(), 0.0);
                    work(&row, &mut line);
                    voxels.iter_mut().zip(&line).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// Positions of the voxels of a row.
pub(crate) struct Row {
    start: [f64; 3],
    step: [f64; 3],
}

impl Row {
    /// Position of voxel `x`.
    pub(crate) fn at(&self, x: usize) -> [f64; 3] {
        std::array::from_fn(|axis| self.start[axis] + x as f64 * self.step[axis])
    }

    /// The voxels of a row of `len` whose neighbors all lie in the grid.
    pub(crate) fn inner(&self, grid: &Grid<'_>, len: usize) -> Range<usize> {
        let (mut low, mut high) = (0.0_f64, len as f64);
        for axis in usize::from(grid.planar)..3 {
            let (start, step) = (self.start[axis], self.step[axis]);
            let ends = [MARGIN - start, (grid.extent[axis] as f64 - 1.0 - MARGIN) - start];
            if step.abs() < 1e-9 {
                let inside = ends[0] <= -MARGIN && ends[1] >= MARGIN;
                high = if inside { high } else { low };
                continue;
            }
            let [first, last] = if step > 0.0 { ends } else { [ends[1], ends[0]] }.map(|end| end / step);
            low = low.max(first.ceil());
            high = high.min(last.floor() + 1.0);
        }
        let on_a_plane = !grid.planar || self.start[0] < grid.extent[0] as f64;
        if low < high && on_a_plane { low as usize..high as usize } else { 0..0 }
    }
}

/// Voxels in C order and their shape.
pub(crate) struct Grid<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) extent: [usize; 3],
    /// Every plane is sampled in itself.
    pub(crate) planar: bool,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(array: &'a CowArray<'_, f32, Ix3>, planar: bool) -> Self {
        let extent = [array.shape()[0], array.shape()[1], array.shape()[2]];
        Self { values: array.as_slice().unwrap_or_default(), extent, planar }
    }

    /// Steps to the next plane and row.
    pub(crate) fn strides(&self) -> [usize; 2] {
        [self.extent[1] * self.extent[2], self.extent[2]]
    }

    /// A voxel that may lie outside.
    pub(crate) fn get(&self, at: [i64; 3]) -> Option<f32> {
        let inside = (0..3).all(|axis| (0..self.extent[axis] as i64).contains(&at[axis]));
        let [plane, row] = self.strides();
        inside.then(|| self.values[at[0] as usize * plane + at[1] as usize * row + at[2] as usize])
    }

    /// The voxel nearest to a position.
    pub(crate) fn nearest(&self, at: [f64; 3], outside: f32) -> f32 {
        let nearest = std::array::from_fn(|axis| nearest(at[axis], self.extent[axis] as f32));
        self.get(nearest).unwrap_or(outside)
    }

    /// Interpolates at positions all of whose neighbors exist.
    #[inline(always)]
    fn linear(&self, cells: &Cells, out: &mut [f32]) {
        let [plane, row] = self.strides();
        let span = if self.planar { row + 2 } else { plane + row + 2 };
        let [wz, wy, wx] = &cells.weights;
        for (lane, out) in out.iter_mut().enumerate() {
            let around = &self.values[cells.first[lane] as usize..][..span];
            let (wy, wx) = (wy[lane], wx[lane]);
            let in_plane = |at: usize| {
                let pair = |at: usize| around[at] + wx * (around[at + 1] - around[at]);
                let (a, b) = (pair(at), pair(at + row));
                a + wy * (b - a)
            };
            let near = in_plane(0);
            *out = if self.planar { near } else { near + wz[lane] * (in_plane(plane) - near) };
        }
    }

    /// Interpolates where some of the neighbors may lie outside; these are 0.
    fn linear_at_edge(&self, at: [f64; 3]) -> f32 {
        corners(at).map(|(at, weight)| self.get(at).map_or(0.0, |value| weight * value)).sum()
    }
}

/// The nearest index along an axis of a length. Positions are computed as torch does, in single precision and relative to
/// the center, because rounding decides for positions half way between two voxels.
fn nearest(at: f64, len: f32) -> i64 {
    let from_center = (at - (f64::from(len) - 1.0) / 2.0) as f32;
    let position = ((from_center / (len / 2.0) + 1.0) * len - 1.0) / 2.0;
    (f64::from(position) + ROUND - ROUND) as i64
}

/// The eight voxels around a position, with their weights.
pub(crate) fn corners(at: [f64; 3]) -> impl Iterator<Item = ([i64; 3], f32)> {
    let low = at.map(f64::floor);
    let weights: [[f32; 2]; 3] = std::array::from_fn(|axis| {
        let above = (at[axis] - low[axis]) as f32;
        [1.0 - above, above]
    });
    (0..8).map(move |corner| {
        let step = [corner >> 2 & 1, corner >> 1 & 1, corner & 1];
        let weight = (0..3).map(|axis| weights[axis][step[axis]]).product();
        (std::array::from_fn(|axis| low[axis] as i64 + step[axis] as i64), weight)
    })
}

/// Adding this to a small number rounds it to an integer, which is then in the lowest bits.
const TO_INTEGER: f32 = 12_582_912.0;

/// The lowest of the neighbors of some positions of a row, and the weights of the highest along each axis.
#[derive(Default)]
pub(crate) struct Cells {
    pub(crate) first: [u32; LANES],
    pub(crate) weights: [[f32; LANES]; 3],
}

impl Cells {
    /// Fills in the voxels from `from` on. Without conversions that check for overflow, so that it vectorises. A position
    /// on a voxel may be taken as the end of the cell before it.
    #[inline(always)]
    pub(crate) fn fill(&mut self, grid: &Grid<'_>, row: &Row, from: usize) {
        let start = row.at(from).map(|start| start as f32);
        self.first = [0; LANES];
        for axis in 0..3 {
            let (start, step, extent) = (start[axis], row.step[axis] as f32, grid.extent[axis] as u32);
            // A plane's position is a whole number, which is kept.
            let below = if axis == 0 && grid.planar { 0.0 } else { 0.5 };
            for lane in 0..LANES {
                let at = start + lane as f32 * step;
                let shifted = (at - below) + TO_INTEGER;
                let low = shifted.to_bits().wrapping_sub(TO_INTEGER.to_bits());
                self.weights[axis][lane] = at - (shifted - TO_INTEGER);
                self.first[lane] = self.first[lane].wrapping_mul(extent).wrapping_add(low);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    /// A rotation about z with a scale, in space and slice by slice: the fast path gives what eight corners give.
    #[test]
    fn inner_voxels_are_those_of_the_corners() {
        let image = Array3::from_shape_fn((6, 19, 23), |(z, y, x)| ((z * 31 + y * 17 + x * 7) % 13) as f32);
        let (sin, cos) = 0.4_f64.sin_cos();
        for tilt in [0.0, 0.05] {
            let matrix = [[1.0, tilt, 0.0], [0.0, cos, -sin], [0.0, 0.8 * sin, 0.8 * cos]];
            let affine = Affine { matrix, output_center: [2.5, 9.0, 11.0], input_center: [2.5, 9.0, 11.0] };
            assert_eq!(affine.is_planar(), tilt == 0.0);
            let mut out = Array3::zeros((6, 19, 40));
            sample_linear(image.view(), &affine, out.view_mut());
            let image = image.as_standard_layout();
            let grid = Grid::new(&image, false);
            for ((z, y, x), value) in out.indexed_iter() {
                let row = Row { start: affine.row_start(z, y), step: affine.matrix.map(|row| row[2]) };
                let expected = grid.linear_at_edge(row.at(x));
                assert!((value - expected).abs() < 1e-4, "{z} {y} {x}: {value} {expected}");
            }
        }
    }
}
