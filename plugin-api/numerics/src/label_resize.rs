//! Resizing of label maps: the label whose linearly resized indicator is largest wins (batchgenerators 0.25.5
//! `resize_segmentation`). Ties go to the nearest neighbor's label when it is among them, else to the smallest.
//!
//! No indicator is ever made: eight corners and their weights decide each voxel.

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::axis::AxisTaps;
use crate::resize::resize;

/// Resizes a label map to `shape`: order 0 takes the nearest voxel, order 1 the strongest label, and order 3 compares
/// cubic indicators label by label.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::resize_labels;
///
/// let labels = Array3::from_shape_vec((1, 1, 2), vec![1.0, 4.0]).unwrap();
/// let larger = resize_labels(labels.view(), [1, 1, 4], 1);
/// assert_eq!(larger.as_slice(), Some(&[1.0, 1.0, 4.0, 4.0][..]));
/// ```
#[must_use]
pub fn resize_labels(labels: ArrayView3<'_, f32>, shape: [usize; 3], order: u32) -> Array3<f32> {
    match order {
        0 => resize(labels, shape, 0),
        1 => resize_linear(labels, shape),
        _ => resize_by_indicator(labels, shape, order),
    }
}

fn resize_linear(labels: ArrayView3<'_, f32>, shape: [usize; 3]) -> Array3<f32> {
    let extent = [labels.shape()[0], labels.shape()[1], labels.shape()[2]];
    let labels = labels.as_standard_layout();
    let values = labels.as_slice().unwrap_or_default();
    let linear: [AxisTaps; 3] = std::array::from_fn(|axis| AxisTaps::resize(extent[axis], shape[axis], 1));
    let nearest: [AxisTaps; 3] = std::array::from_fn(|axis| AxisTaps::resize(extent[axis], shape[axis], 0));
    let mut out = Array3::zeros(shape);
    let corners = Corners { values, extent, linear, nearest };
    if let Some(voxels) = out.as_slice_mut().filter(|voxels| !voxels.is_empty()) {
        voxels.par_chunks_mut(shape[2]).enumerate().for_each_init(Vec::new, |uniform, (i, row)| {
            corners.resize_row(row, [i / shape[1], i % shape[1]], uniform);
        });
    }
    out
}

/// A label map and where each output voxel's eight corners lie in it.
struct Corners<'a> {
    values: &'a [f32],
    extent: [usize; 3],
    linear: [AxisTaps; 3],
    nearest: [AxisTaps; 3],
}

impl Corners<'_> {
    /// One row of the output. Most voxels have one label in all corners: the four input rows are compared once.
    fn resize_row(&self, row: &mut [f32], [z, y]: [usize; 2], uniform: &mut Vec<f32>) {
        let rows = self.rows(z, y);
        uniform.clear();
        uniform.extend((0..self.extent[2]).map(|x| {
            let [a, b, c, d] = rows.map(|(row, _)| row[x]);
            if a == b && a == c && a == d { a } else { f32::NAN }
        }));
        for (x, (voxel, tap)) in row.iter_mut().zip(&self.linear[2].taps).enumerate() {
            let [left, right] = [0, 1].map(|step| self.linear[2].index(tap.first + step));
            *voxel = if uniform[left] == uniform[right] {
                uniform[left]
            } else {
                self.strongest(&rows, [left, right], tap.weights, [z, y, x])
            };
        }
    }

    /// The four input rows around an output row, with their weights.
    fn rows(&self, z: usize, y: usize) -> [(&[f32], f64); 4] {
        let (tz, ty) = (&self.linear[0].taps[z], &self.linear[1].taps[y]);
        std::array::from_fn(|corner| {
            let (dz, dy) = (corner / 2, corner % 2);
            let z = self.linear[0].index(tz.first + dz as isize);
            let y = self.linear[1].index(ty.first + dy as isize);
            let start = (z * self.extent[1] + y) * self.extent[2];
            (&self.values[start..start + self.extent[2]], tz.weights[dz] * ty.weights[dy])
        })
    }

    fn strongest(
        &self,
        rows: &[(&[f32], f64); 4],
        columns: [usize; 2],
        weights: [f64; 4],
        at: [usize; 3],
    ) -> f32 {
        let mut votes = Votes::default();
        for (row, weight) in rows {
            for (column, along) in columns.iter().zip(&weights) {
                votes.add(row[*column], weight * along);
            }
        }
        votes.winner(|| {
            let near = |axis: usize| self.nearest[axis].index(self.nearest[axis].taps[at[axis]].first);
            self.values[(near(0) * self.extent[1] + near(1)) * self.extent[2] + near(2)]
        })
    }
}

/// Weights by label of one voxel's eight corners.
#[derive(Default)]
pub(crate) struct Votes {
    labels: [f32; 8],
    weights: [f64; 8],
    len: usize,
}

impl Votes {
    pub(crate) fn add(&mut self, label: f32, weight: f64) {
        match self.labels[..self.len].iter().position(|known| *known == label) {
            Some(i) => self.weights[i] += weight,
            None => {
                self.labels[self.len] = label;
                self.weights[self.len] = weight;
                self.len += 1;
            }
        }
    }

    /// The label of largest weight; `nearest` is asked only on a tie.
    pub(crate) fn winner(&self, nearest: impl FnOnce() -> f32) -> f32 {
        if self.len == 1 {
            return self.labels[0];
        }
        let weights = &self.weights[..self.len];
        let best = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let tied = || {
            self.labels[..self.len].iter().zip(weights).filter(|(_, w)| **w == best).map(|(label, _)| *label)
        };
        let smallest = tied().fold(f32::INFINITY, f32::min);
        if tied().count() == 1 {
            return smallest;
        }
        let nearest = nearest();
        if tied().any(|label| label == nearest) { nearest } else { smallest }
    }
}

fn resize_by_indicator(labels: ArrayView3<'_, f32>, shape: [usize; 3], order: u32) -> Array3<f32> {
    let nearest = resize(labels, shape, 0);
    let mut best = Array3::from_elem(shape, f32::NEG_INFINITY);
    let mut out = Array3::zeros(shape);
    for label in crate::stats::unique(labels.iter().copied()) {
        let indicator = resize(labels.mapv(|value| f32::from(u8::from(value == label))).view(), shape, order);
        ndarray::Zip::from(&mut best).and(&mut out).and(&indicator).and(&nearest).for_each(
            |best, out, indicator, nearest| {
                if *indicator > *best || (*indicator == *best && *nearest == label) {
                    *best = *indicator;
                    *out = label;
                }
            },
        );
    }
    out
}
