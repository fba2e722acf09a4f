//! How the network's grid lies on the cropped case's.

use ndarray::{Array3, ArrayView3, Axis};
use nnunet_numerics::{Resampling, resample, separate_axis};
use nnunet_plugin_core::vocabulary::{CaseProperties, Plans};
use nnunet_plugin_core::{Error, Result};

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
