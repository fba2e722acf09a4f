//! Label maps on an affine grid: the label whose linearly interpolated indicator is largest wins.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::affine::Affine;
use crate::linear::{Cells, Grid, LANES, corners, for_each_row};

/// Indicators are compared in half precision, as this multiple: near ties are ties then.
const SCALE: f32 = 1000.0;

/// Samples a label map with linear indicators; outside there is the label `outside`. Where two labels have the same
/// weight, the nearest voxel's label wins if it is one of them, else the smallest.
///
/// Source: the segmentation of batchgeneratorsv2's `SpatialTransform`.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::{Affine, sample_linear_labels};
///
/// let labels = Array3::from_shape_fn((1, 1, 4), |(_, _, x)| if x < 2 { 0.0 } else { 3.0 });
/// let matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5]];
/// let twice = Affine { matrix, output_center: [0.0; 3], input_center: [0.0, 0.0, -0.75] };
/// let mut enlarged = Array3::zeros((1, 1, 4));
/// sample_linear_labels(labels.view(), &twice, -1.0, enlarged.view_mut());
/// assert_eq!(enlarged.as_slice(), Some(&[-1.0, 0.0, 0.0, 0.0][..]));
/// ```
pub fn sample_linear_labels(
    labels: ArrayView3<'_, f32>,
    affine: &Affine,
    outside: f32,
    out: ArrayViewMut3<'_, f32>,
) {
    let labels = labels.as_standard_layout();
    let grid = Grid::new(&labels, affine.is_planar());
    let uniform = uniform_cells(&grid);
    for_each_row(affine, out, |row, out| {
        let inner = row.inner(&grid, out.len());
        for x in (0..inner.start).chain(inner.end..out.len()) {
            out[x] = vote(&grid, row.at(x), outside);
        }
        let first = inner.start;
        for (block, out) in out[inner].chunks_mut(LANES).enumerate() {
            let from = first + block * LANES;
            let cells = Cells::new(&grid, row, from);
            for (lane, out) in out.iter_mut().enumerate() {
                let label = uniform[cells.first[lane]];
                *out = if label.is_nan() { vote(&grid, row.at(from + lane), outside) } else { label };
            }
        }
    });
}

/// By voxel: the label of it and of its neighbors towards higher z, y and x if they have the same, otherwise NaN. Most
/// positions lie between voxels of one label.
fn uniform_cells(grid: &Grid<'_>) -> Vec<f32> {
    let [plane, row] = grid.strides();
    let mut cells = vec![f32::NAN; grid.values.len()];
    let ahead = if grid.planar { 0 } else { plane };
    let [nz, ny, nx] = grid.extent;
    let planes = if grid.planar { nz } else { nz.saturating_sub(1) };
    let mut columns = vec![0.0; nx];
    for z in 0..planes {
        for y in 0..ny.saturating_sub(1) {
            let start = z * plane + y * row;
            let line = |from: usize| &grid.values[from..from + nx];
            let rows = [line(start), line(start + row), line(start + ahead), line(start + ahead + row)];
            for (x, column) in columns.iter_mut().enumerate() {
                let [a, b, c, d] = rows.map(|row| row[x]);
                *column = if (a == b) & (c == d) & (a == c) { a } else { f32::NAN };
            }
            let pairs = columns.iter().zip(&columns[1..]);
            for (cell, (a, b)) in cells[start..start + nx].iter_mut().zip(pairs) {
                *cell = if a == b { *a } else { f32::NAN };
            }
        }
    }
    cells
}

/// The label of largest weight among the eight voxels around a position.
fn vote(grid: &Grid<'_>, at: [f64; 3], outside: f32) -> f32 {
    let (mut labels, mut scores, mut count) = ([0.0; 8], [0.0_f32; 8], 0);
    for (at, weight) in corners(at) {
        let label = grid.get(at).unwrap_or(outside);
        let known = labels[..count].iter().position(|known| *known == label);
        let index = known.unwrap_or(count);
        count = count.max(index + 1);
        labels[index] = label;
        scores[index] += SCALE * weight;
    }
    let found = || labels[..count].iter().copied().zip(scores[..count].iter().map(|score| half(*score)));
    let most = found().map(|(_, score)| score).fold(0.0, f32::max);
    let nearest = grid.nearest(at, outside);
    let best = found().filter(|(_, score)| *score == most).map(|(label, _)| label);
    best.fold(
        f32::INFINITY,
        |best, label| if best == nearest || label == nearest { nearest } else { best.min(label) },
    )
}

/// A number with the precision of a 16-bit float: eleven significant bits, halves rounded to the even neighbor.
fn half(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x0fff + (bits >> 13 & 1)) & !0x1fff)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn half_precision_keeps_eleven_bits() {
        assert_eq!([500.1, 500.2, 749.9, 0.5, 1000.0].map(half), [500.0, 500.25, 750.0, 0.5, 1000.0]);
    }

    /// Between three labels the nearest voxel decides only if its label is one of the best.
    #[test]
    fn ties_go_to_the_nearest_or_to_the_smallest_label() {
        let labels = Array3::from_shape_vec((1, 2, 2), vec![5.0, 2.0, 7.0, 7.0]).unwrap();
        let labels = labels.as_standard_layout();
        let grid = Grid::new(&labels, true);
        // Half of the weight is that of 7, a quarter each that of 5 and of 2; the nearest voxel is 5.
        assert_eq!(vote(&grid, [0.0, 0.5, 0.5], -1.0), 7.0);
        assert_eq!(vote(&grid, [0.0, 0.0, 0.5], -1.0), 5.0);
        assert_eq!(vote(&grid, [0.0, 1.0, -0.6], -1.0), -1.0);
        assert_eq!(vote(&grid, [0.0, 1.0, -0.5], -1.0), 7.0);
    }
}
