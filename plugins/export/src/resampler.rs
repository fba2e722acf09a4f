//! From scores on the network's grid to scores on the cropped case's, slab by slab.

use ndarray::{Array3, Array4, ArrayView3, Axis, concatenate, s};
use nnunet_numerics::{Resampling, SlabResampling, resample, separate_axis};
use nnunet_plugin_core::vocabulary::{CaseProperties, Plans};
use nnunet_plugin_core::{Error, Result};
use rayon::prelude::*;

/// How the network's grid lies on the cropped case's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportResampler {
    /// For each axis of the case, the network's axis.
    pub transpose_backward: [usize; 3],
    /// Size of the network's grid, in its own order.
    pub network: [usize; 3],
    /// Size of the cropped case.
    pub cropped: [usize; 3],
    /// Resampling between them; its axis is one of the case.
    pub how: Resampling,
}

impl ExportResampler {
    /// The resampler of a v1 case.
    ///
    /// # Errors
    /// Returns an error if the properties lack the values that preprocessing adds.
    pub fn of_v1(plans: &Plans, case: &CaseProperties) -> Result<Self> {
        let missing = || Error::message("the case has no size or spacing after resampling");
        let after = case.spacing_after_resampling.ok_or_else(missing)?;
        let export = plans.segmentation_export_params.unwrap_or_default();
        Ok(Self {
            transpose_backward: plans.transpose_backward,
            network: case.size_after_resampling.ok_or_else(missing)?,
            cropped: case.size_after_cropping,
            how: Resampling {
                order: export.interpolation_order,
                order_z: export.interpolation_order_z,
                separate: separate_axis(case.original_spacing, after, export.force_separate_z),
            },
        })
    }

    /// Size of the network's grid, in the case's order.
    #[must_use]
    pub fn untransposed(&self) -> [usize; 3] {
        self.transpose_backward.map(|axis| self.network[axis])
    }

    /// The case's axis along which the network's rows arrive.
    #[must_use]
    pub fn axis(&self) -> usize {
        self.transpose_backward.iter().position(|axis| *axis == 0).unwrap_or(0)
    }

    /// Whether the grids differ.
    #[must_use]
    pub fn resamples(&self) -> bool {
        self.untransposed() != self.cropped
    }

    /// One class whole.
    #[must_use]
    pub fn whole(&self, class: ArrayView3<'_, f32>) -> Array3<f32> {
        let class = class.permuted_axes(self.transpose_backward).insert_axis(Axis(0));
        resample(class, self.cropped, self.how).remove_axis(Axis(0))
    }
}

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
    grids: ExportResampler,
    axis: usize,
    /// None: both grids are the same.
    resampling: Option<SlabResampling>,
    /// Rows that are still needed, in the case's order; the first of them is `first`.
    window: Option<Array4<f32>>,
    first: usize,
    done: usize,
}

impl SlabResampler {
    /// `None` where every slab depends on the whole: cubic splines.
    #[must_use]
    pub fn new(grids: ExportResampler) -> Option<Self> {
        let axis = grids.axis();
        let resampling = SlabResampling::new(grids.untransposed(), grids.cropped, grids.how, axis);
        if grids.resamples() && resampling.is_none() {
            return None;
        }
        let resampling = resampling.filter(|_| grids.resamples());
        Some(Self { grids, axis, resampling, window: None, first: 0, done: 0 })
    }

    /// The next rows of the network's grid, (classes, n, y, x) in its order; gives what has become known.
    ///
    /// # Errors
    /// Returns an error if the rows have another size than those before.
    pub fn push(&mut self, rows: Array4<f32>) -> Result<Option<Slab>> {
        let back = self.grids.transpose_backward;
        let rows = rows.permuted_axes([0, back[0] + 1, back[1] + 1, back[2] + 1]);
        let (axis, first) = (self.axis, self.done);
        let Some(resampling) = &self.resampling else {
            self.done += rows.shape()[axis + 1];
            return Ok(Some(Slab { axis, first, scores: rows }));
        };
        let window = match self.window.take() {
            None => rows,
            Some(window) => concatenate(Axis(axis + 1), &[window.view(), rows.view()])
                .map_err(|error| Error::message(error.to_string()))?,
        };
        let ready = resampling.ready(self.first + window.shape()[axis + 1]);
        let scores = (ready > first).then(|| resampled(resampling, &window, self.first, first..ready));
        self.done = ready;
        self.keep(window);
        Ok(scores.map(|scores| Slab { axis, first, scores }))
    }

    /// Keeps the rows that later outputs need.
    fn keep(&mut self, window: Array4<f32>) {
        let (axis, rows) = (Axis(self.axis + 1), window.shape()[self.axis + 1]);
        let Some(resampling) = self.resampling.as_ref().filter(|_| self.done < self.grids.cropped[self.axis])
        else {
            return;
        };
        let needed = resampling.needs(self.done..self.done + 1).start.min(self.first + rows);
        self.window = Some(window.slice_axis(axis, (needed - self.first..rows).into()).to_owned());
        self.first = needed;
    }
}

fn resampled(
    resampling: &SlabResampling,
    window: &Array4<f32>,
    first: usize,
    outputs: std::ops::Range<usize>,
) -> Array4<f32> {
    let classes: Vec<Array3<f32>> = (0..window.dim().0)
        .into_par_iter()
        .map(|class| resampling.rows(window.slice(s![class, .., .., ..]), first, outputs.clone()))
        .collect();
    let views: Vec<_> = classes.iter().map(|class| class.view()).collect();
    // Every class has brought the same number of voxels.
    ndarray::stack(Axis(0), &views).unwrap_or_default()
}
