//! The plans: a planner makes them, and all later steps follow them (v1: `*_plans_2D.pkl`, `*_plans_3D.pkl`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fingerprint;
use crate::{Error, Result};

/// Plans of one data set for one dimensionality. Field names follow v1's keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plans {
    /// Modality names by channel.
    pub modalities: Vec<String>,
    /// Normalization scheme by channel: `CT`, `CT2`, `nonCT` or `noNorm`.
    pub normalization_schemes: Vec<String>,
    /// The fingerprint the plans were made from.
    pub dataset_properties: Fingerprint,
    /// Paths of the cropped cases.
    pub list_of_npz_files: Vec<String>,
    /// Folder of the preprocessed task.
    pub preprocessed_data_folder: String,
    /// Number of foreground classes.
    pub num_classes: usize,
    /// Foreground label values.
    pub all_classes: Vec<i64>,
    /// Feature maps of the first stage of the network.
    pub base_num_features: usize,
    /// By channel: normalize inside the nonzero mask only.
    pub use_mask_for_norm: Vec<bool>,
    /// Axis order of preprocessed arrays: axis i of the array is axis `transpose_forward[i]` of the image.
    pub transpose_forward: [usize; 3],
    /// Inverse of `transpose_forward`.
    pub transpose_backward: [usize; 3],
    /// Identifier of the preprocessed data: the name of its folder without the stage.
    pub data_identifier: String,
    /// Stages from low to full resolution.
    pub plans_per_stage: Vec<Stage>,
    /// Name of the preprocessor.
    pub preprocessor_name: String,
    /// Convolutions per stage of the network; absent in v1's 2D plans, where it is 2.
    pub conv_per_stage: Option<usize>,
    /// How predictions are resampled to the original grid, if not by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation_export_params: Option<SegmentationExport>,
}

/// Resampling of predictions to the original grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentationExport {
    /// Resample the axis of largest spacing separately: always or never; none: depending on the anisotropy.
    pub force_separate_z: Option<bool>,
    /// Spline order within the plane.
    pub interpolation_order: u32,
    /// Spline order along the separate axis.
    pub interpolation_order_z: u32,
}

impl Default for SegmentationExport {
    fn default() -> Self {
        Self { force_separate_z: None, interpolation_order: 1, interpolation_order_z: 0 }
    }
}

/// One resolution of the plans. Three-element vectors are in transposed axis order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Batch size.
    pub batch_size: usize,
    /// Number of poolings along each axis of the patch.
    pub num_pool_per_axis: Vec<usize>,
    /// Patch size, 2 or 3 axes, voxels.
    pub patch_size: Vec<usize>,
    /// Median size of the cases at this resolution, voxels.
    pub median_patient_size_in_voxels: [usize; 3],
    /// Spacing of this stage, mm.
    pub current_spacing: [f64; 3],
    /// Spacing of the full-resolution stage, mm.
    pub original_spacing: [f64; 3],
    /// Augment within slices because the patch is anisotropic.
    #[serde(rename = "do_dummy_2D_data_aug")]
    pub do_dummy_2d_data_aug: bool,
    /// Kernel, which is also the stride, of every pooling.
    pub pool_op_kernel_sizes: Vec<Vec<usize>>,
    /// Convolution kernel of every resolution: one more than poolings.
    pub conv_kernel_sizes: Vec<Vec<usize>>,
    /// Residual blocks per encoder stage (residual planners).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_blocks_encoder: Option<Vec<usize>>,
    /// Residual blocks per decoder stage (residual planners).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_blocks_decoder: Option<Vec<usize>>,
}

impl Plans {
    /// Whether patches have three axes.
    #[must_use]
    pub fn is_3d(&self) -> bool {
        self.plans_per_stage.first().is_some_and(|stage| stage.patch_size.len() == 3)
    }

    /// Number of image channels.
    #[must_use]
    pub fn num_modalities(&self) -> usize {
        self.modalities.len()
    }

    /// Checks that the plans are consistent: the patch is divisible by the poolings, every resolution has a kernel, and
    /// `transpose_backward` is the inverse of `transpose_forward`.
    ///
    /// ```
    /// use nnunet_plugin_api::vocabulary::{Plans, Stage};
    ///
    /// let stage = Stage {
    ///     batch_size: 2,
    ///     patch_size: vec![32, 64, 64],
    ///     pool_op_kernel_sizes: vec![vec![1, 2, 2], vec![2, 2, 2]],
    ///     conv_kernel_sizes: vec![vec![1, 3, 3], vec![3, 3, 3], vec![3, 3, 3]],
    ///     current_spacing: [3.0, 1.0, 1.0],
    ///     ..Stage::default()
    /// };
    /// let mut plans = Plans {
    ///     transpose_forward: [0, 1, 2],
    ///     transpose_backward: [0, 1, 2],
    ///     plans_per_stage: vec![stage],
    ///     ..Plans::default()
    /// };
    /// plans.check().unwrap();
    /// assert!(plans.is_3d());
    ///
    /// plans.plans_per_stage[0].patch_size[0] = 33;
    /// let error = plans.check().unwrap_err().to_string();
    /// assert!(error.contains("axis 0 must be divisible by 2"), "{error}");
    /// ```
    ///
    /// # Errors
    /// Returns an error for the first inconsistent value, with its name.
    pub fn check(&self) -> Result<()> {
        let wrong = |name: &str, why: String| Err(Error::parameter(name, why));
        let channels = self.modalities.len();
        if self.normalization_schemes.len() != channels || self.use_mask_for_norm.len() != channels {
            return wrong(
                "normalization_schemes",
                format!("needs one entry for each of {channels} channels"),
            );
        }
        if (0..3).any(|axis| self.transpose_forward.get(self.transpose_backward[axis]) != Some(&axis)) {
            return wrong("transpose_backward", "must be the inverse of transpose_forward".to_owned());
        }
        if self.num_classes != self.all_classes.len() || self.plans_per_stage.is_empty() {
            return wrong(
                "num_classes",
                "must be the number of all_classes, and there must be a stage".to_owned(),
            );
        }
        self.plans_per_stage.iter().enumerate().try_for_each(|(i, stage)| {
            stage.check().map_err(|error| error.within(format!("plans_per_stage.{i}")))
        })
    }
}

impl Stage {
    fn check(&self) -> Result<()> {
        let wrong = |name: &str, why: String| Err(Error::parameter(name, why));
        let axes = self.patch_size.len();
        if self.batch_size == 0 {
            return wrong("batch_size", "must be at least 1".to_owned());
        }
        let vectors = self.pool_op_kernel_sizes.iter().chain(&self.conv_kernel_sizes);
        if !(2..=3).contains(&axes)
            || vectors.clone().any(|kernel| kernel.len() != axes || kernel.contains(&0))
        {
            return wrong(
                "patch_size",
                "patch and kernels must all have 2 or all have 3 positive axes".to_owned(),
            );
        }
        // Residual networks have a pooling of 1 before their first resolution.
        let resolutions = self.pool_op_kernel_sizes.len() + usize::from(self.num_blocks_encoder.is_none());
        if self.conv_kernel_sizes.len() != resolutions {
            return wrong(
                "conv_kernel_sizes",
                format!("must have {resolutions} kernels, one for each resolution"),
            );
        }
        for axis in 0..axes {
            let by: usize = self.pool_op_kernel_sizes.iter().map(|kernel| kernel[axis]).product();
            if self.patch_size[axis] == 0 || !self.patch_size[axis].is_multiple_of(by) {
                return wrong(
                    "patch_size",
                    format!("axis {axis} must be divisible by {by}, as it is pooled"),
                );
            }
        }
        if self.current_spacing.iter().any(|mm| !(mm.is_finite() && *mm > 0.0)) {
            return wrong("current_spacing", "must be positive".to_owned());
        }
        Ok(())
    }
}
