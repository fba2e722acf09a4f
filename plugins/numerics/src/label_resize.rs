//! Resizing of label maps: the label whose linearly resized indicator is largest wins (batchgenerators 0.25.5
//! `resize_segmentation`). Ties go to the nearest neighbour's label when it is among them, else to the smallest.
//!
//! No indicator is ever made: eight corners and their weights decide each voxel.

use ndarray::{Array3, ArrayView3};
use rayon::prelude::*;

use crate::axis::AxisTaps;
use crate::resize::resize;

/// Resizes a label map to `shape`: order 0 takes the nearest voxel, order 1 the strongest label, and order 3 compares
/// cubic indicators label by label.
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
    let plane = shape[1] * shape[2];
    if let Some(voxels) = out.as_slice_mut() {
        voxels.par_chunks_mut(plane.max(1)).enumerate().for_each(|(z, voxels)| {
            for (i, voxel) in voxels.iter_mut().enumerate() {
                let at = [z, i / shape[2], i % shape[2]];
                *voxel = strongest(values, extent, &linear, &nearest, at);
            }
        });
    }
    out
}

fn strongest(
    values: &[f32],
    extent: [usize; 3],
    linear: &[AxisTaps; 3],
    nearest: &[AxisTaps; 3],
    at: [usize; 3],
) -> f32 {
    let mut votes = Votes::default();
    let [tz, ty, tx] = [0, 1, 2].map(|axis| linear[axis].taps[at[axis]]);
    for (dz, wz) in tz.weights[..2].iter().enumerate() {
        let z = linear[0].index(tz.first + dz as isize) * extent[1];
        for (dy, wy) in ty.weights[..2].iter().enumerate() {
            let y = (z + linear[1].index(ty.first + dy as isize)) * extent[2];
            for (dx, wx) in tx.weights[..2].iter().enumerate() {
                votes.add(values[y + linear[2].index(tx.first + dx as isize)], wz * wy * wx);
            }
        }
    }
    votes.winner(|| {
        let [z, y, x] = [0, 1, 2].map(|axis| nearest[axis].index(nearest[axis].taps[at[axis]].first));
        values[(z * extent[1] + y) * extent[2] + x]
    })
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
