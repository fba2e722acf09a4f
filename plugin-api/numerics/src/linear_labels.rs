//! Label maps on an affine grid: the label whose linearly interpolated indicator is largest wins.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::affine::Affine;
use crate::linear::{Cells, Grid, LANES, corners, for_each_row};
use crate::wide::wide;

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
    let mut cells = Cells::default();
    for_each_row(affine, out, |row, out| {
        let inner = row.inner(&grid, out.len());
        for x in (0..inner.start).chain(inner.end..out.len()) {
            out[x] = vote_at_edge(&grid, row.at(x), outside);
        }
        let first = inner.start;
        for (block, out) in out[inner].chunks_mut(LANES).enumerate() {
            let from = first + block * LANES;
            wide(
                #[inline(always)]
                || cells.fill(&grid, row, from),
            );
            for (lane, out) in out.iter_mut().enumerate() {
                let cell = cells.first[lane] as usize;
                let label = uniform[cell];
                *out = if label.is_nan() {
                    let weights = cells.weights.map(|weights| weights[lane]);
                    vote_inside(&grid, cell, weights, || grid.nearest(row.at(from + lane), outside))
                } else {
                    label
                };
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
            let cells = &mut cells[start..start + nx];
            wide(
                #[inline(always)]
                || uniform_row(rows, &mut columns, cells),
            );
        }
    }
    cells
}

/// A row of cells, of the four rows of voxels around it.
#[inline(always)]
fn uniform_row(rows: [&[f32]; 4], columns: &mut [f32], cells: &mut [f32]) {
    let [a, b, c, d] = rows;
    let around = a.iter().zip(b).zip(c.iter().zip(d));
    for (column, ((a, b), (c, d))) in columns.iter_mut().zip(around) {
        *column = if (a == b) & (c == d) & (a == c) { *a } else { f32::NAN };
    }
    let pairs = columns.iter().zip(&columns[1..]);
    for (cell, (a, b)) in cells.iter_mut().zip(pairs) {
        *cell = if a == b { *a } else { f32::NAN };
    }
}

/// The label of largest weight among the eight voxels around a position, some of which may lie outside.
fn vote_at_edge(grid: &Grid<'_>, at: [f64; 3], outside: f32) -> f32 {
    let mut votes = Votes::default();
    corners(at).for_each(|(at, weight)| votes.add(grid.get(at).unwrap_or(outside), weight));
    votes.winner(|| grid.nearest(at, outside))
}

/// The same in the cell of which `first` is the lowest voxel.
fn vote_inside(grid: &Grid<'_>, first: usize, [wz, wy, wx]: [f32; 3], nearest: impl FnOnce() -> f32) -> f32 {
    let [plane, row] = grid.strides();
    let (mut labels, mut weights) = ([grid.values[first]; 8], [0.0; 8]);
    let planes = [(0, 1.0 - wz), (plane, wz)];
    for (z, (plane, along_z)) in planes[..if grid.planar { 1 } else { 2 }].iter().enumerate() {
        for (y, (row, along_y)) in [(0, 1.0 - wy), (row, wy)].into_iter().enumerate() {
            let (at, weight, corner) = (first + plane + row, along_z * along_y, 4 * z + 2 * y);
            labels[corner..corner + 2].copy_from_slice(&grid.values[at..at + 2]);
            weights[corner..corner + 2].copy_from_slice(&[weight * (1.0 - wx), weight * wx]);
        }
    }
    of_two(&labels, &weights).unwrap_or_else(|| {
        let mut votes = Votes::default();
        labels.into_iter().zip(weights).for_each(|(label, weight)| votes.add(label, weight));
        votes.winner(nearest)
    })
}

/// The winner among no more than two labels; none: there are more, or both have the same score.
fn of_two(labels: &[f32; 8], weights: &[f32; 8]) -> Option<f32> {
    let first = labels[0];
    let second = labels.iter().copied().find(|label| *label != first)?;
    let (mut scores, mut others) = ([0.0; 2], 0);
    for (label, weight) in labels.iter().zip(weights) {
        let score = SCALE * weight;
        scores[0] += if *label == first { score } else { 0.0 };
        scores[1] += if *label == second { score } else { 0.0 };
        others += usize::from((*label != first) & (*label != second));
    }
    let [a, b] = scores.map(half);
    (others == 0 && a != b).then_some(if a > b { first } else { second })
}

/// Scores by label.
#[derive(Default)]
struct Votes {
    labels: [f32; 8],
    scores: [f32; 8],
    count: usize,
}

impl Votes {
    fn add(&mut self, label: f32, weight: f32) {
        let known = self.labels[..self.count].iter().position(|known| *known == label);
        let index = known.unwrap_or(self.count);
        self.count = self.count.max(index + 1);
        self.labels[index] = label;
        self.scores[index] += SCALE * weight;
    }

    /// The label of the highest score; `nearest` is asked only on a tie.
    fn winner(&self, nearest: impl FnOnce() -> f32) -> f32 {
        let scores = self.scores.map(half);
        let most = scores[..self.count].iter().copied().fold(0.0, f32::max);
        let best = || {
            let found = self.labels[..self.count].iter().zip(scores);
            found.filter(|(_, score)| *score == most).map(|(label, _)| *label)
        };
        let smallest = best().fold(f32::INFINITY, f32::min);
        if best().count() < 2 {
            return smallest;
        }
        let nearest = nearest();
        if best().any(|label| label == nearest) { nearest } else { smallest }
    }
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

    #[test]
    fn two_labels_are_decided_as_any_number() {
        let weights: [f32; 8] = std::array::from_fn(|corner| 0.02 + 0.03 * corner as f32);
        for pattern in 1..255_u32 {
            let labels: [f32; 8] = std::array::from_fn(|corner| (pattern >> corner & 1) as f32 * 4.0);
            let mut votes = Votes::default();
            labels.into_iter().zip(weights).for_each(|(label, weight)| votes.add(label, weight));
            let expected = votes.winner(|| f32::NAN);
            assert!(of_two(&labels, &weights).is_none_or(|label| label == expected), "{pattern:b}");
        }
        assert_eq!(of_two(&[1.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0], &weights), None);
        assert_eq!(of_two(&[1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0], &[0.125; 8]), None);
    }

    /// Between three labels the nearest voxel decides only if its label is one of the best.
    #[test]
    fn ties_go_to_the_nearest_or_to_the_smallest_label() {
        let labels = Array3::from_shape_vec((1, 2, 2), vec![5.0, 2.0, 7.0, 7.0]).unwrap();
        let labels = labels.as_standard_layout();
        let grid = Grid::new(&labels, true);
        // Half of the weight is that of 7, a quarter each that of 5 and of 2; the nearest voxel is 5.
        assert_eq!(vote_at_edge(&grid, [0.0, 0.5, 0.5], -1.0), 7.0);
        assert_eq!(vote_at_edge(&grid, [0.0, 0.0, 0.5], -1.0), 5.0);
        assert_eq!(vote_at_edge(&grid, [0.0, 1.0, -0.6], -1.0), -1.0);
        assert_eq!(vote_at_edge(&grid, [0.0, 1.0, -0.5], -1.0), 7.0);
    }
}
