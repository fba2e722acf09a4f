//! From scores on the network's grid to scores on the cropped case's, slab by slab.

use std::ops::Range;

use ndarray::{Array3, Array4, Axis, concatenate, s};
use nnunet_numerics::SlabResampling;
use nnunet_plugin_core::{Error, Result};
use rayon::prelude::*;

use crate::progress::SlabProgress;
use crate::resampler::ExportResampler;

/// Rows of scores on the cropped grid, (classes, z, y, x), of which `axis` begins at row `first`.
#[derive(Debug)]
pub struct Slab {
    /// The case's axis along which rows arrive.
    pub axis: usize,
    /// Index of the first row.
    pub first: usize,
    /// Scores.
    pub scores: Array4<f32>,
}

/// Brings rows to the cropped grid as they arrive.
#[derive(Debug)]
pub struct SlabResampler {
    progress: SlabProgress,
    /// Rows that are still needed, in the case's order.
    window: Option<Array4<f32>>,
}

impl SlabResampler {
    /// `None` where every slab depends on the whole: cubic splines.
    #[must_use]
    pub fn new(grids: ExportResampler) -> Option<Self> {
        Some(Self { progress: SlabProgress::new(grids)?, window: None })
    }

    /// The next rows of the network's grid, (classes, n, y, x) in its order; gives what has become known.
    ///
    /// # Errors
    /// Returns an error if the rows have another size than those before.
    pub fn push(&mut self, rows: Array4<f32>) -> Result<Option<Slab>> {
        let back = self.progress.grids().transpose_backward;
        let rows = rows.permuted_axes([0, back[0] + 1, back[1] + 1, back[2] + 1]);
        let axis = self.progress.axis();
        let window = match self.window.take() {
            None => rows,
            Some(window) => concatenate(Axis(axis + 1), &[window.view(), rows.view()])
                .map_err(|error| Error::message(error.to_string()))?,
        };
        let kept = window.shape()[axis + 1];
        let ready = self.progress.ready(kept);
        let Some(resampling) = self.progress.resampling() else {
            self.progress.finish(&ready, kept);
            return Ok(Some(Slab { axis, first: ready.start, scores: window }));
        };
        let first = self.progress.first();
        let scores = (!ready.is_empty()).then(|| resampled(resampling, &window, first, ready.clone()));
        if let Some(dropped) = self.progress.finish(&ready, kept) {
            self.window = Some(window.slice_axis(Axis(axis + 1), (dropped..kept).into()).to_owned());
        }
        Ok(scores.map(|scores| Slab { axis, first: ready.start, scores }))
    }
}

fn resampled(
    resampling: &SlabResampling,
    window: &Array4<f32>,
    first: usize,
    outputs: Range<usize>,
) -> Array4<f32> {
    let classes: Vec<Array3<f32>> = (0..window.dim().0)
        .into_par_iter()
        .map(|class| resampling.rows(window.slice(s![class, .., .., ..]), first, outputs.clone()))
        .collect();
    let views: Vec<_> = classes.iter().map(|class| class.view()).collect();
    // Every class has brought the same number of voxels.
    ndarray::stack(Axis(0), &views).unwrap_or_default()
}
