//! The plans: what a planner decides and everything after it follows (v1: `*_plans_2D.pkl`, `*_plans_3D.pkl`).

use serde::{Deserialize, Serialize};

use super::Fingerprint;

/// Plans of one data set for one dimensionality. Field names follow v1's keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plans {
    /// Modality names by channel.
    pub modalities: Vec<String>,
    /// Normalisation scheme by channel: `CT`, `CT2`, `nonCT` or `noNorm`.
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
    /// Features of the first stage of the network.
    pub base_num_features: usize,
    /// By channel: normalise inside the nonzero mask only.
    pub use_mask_for_norm: Vec<bool>,
    /// Axis order of preprocessed arrays: element i is the source axis of axis i.
    pub transpose_forward: [usize; 3],
    /// Inverse of `transpose_forward`.
    pub transpose_backward: [usize; 3],
    /// Name of the preprocessed data, without the stage.
    pub data_identifier: String,
    /// Stages from low to full resolution.
    pub plans_per_stage: Vec<Stage>,
    /// The preprocessor that makes the data.
    pub preprocessor_name: String,
    /// Convolutions per stage of the network; absent in 2D plans, where 2 is meant.
    pub conv_per_stage: Option<usize>,
    /// How predictions are resampled, when it is not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation_export_params: Option<SegmentationExport>,
}

/// Resampling of predictions to the original grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SegmentationExport {
    /// Resample the axis of largest spacing on its own: by rule when absent.
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
    /// Samples per batch.
    pub batch_size: usize,
    /// Poolings per patch axis.
    pub num_pool_per_axis: Vec<usize>,
    /// Network input, 2 or 3 axes, voxels.
    pub patch_size: Vec<usize>,
    /// Median size of the cases at this resolution, voxels.
    pub median_patient_size_in_voxels: [usize; 3],
    /// Spacing of this stage, mm.
    pub current_spacing: [f64; 3],
    /// Spacing of the full-resolution stage, mm.
    pub original_spacing: [f64; 3],
    /// Augment slice-wise because the patch is anisotropic.
    #[serde(rename = "do_dummy_2D_data_aug")]
    pub do_dummy_2d_data_aug: bool,
    /// Pooling kernel (= stride) of every pooling.
    pub pool_op_kernel_sizes: Vec<Vec<usize>>,
    /// Convolution kernel of every resolution, one more than poolings.
    pub conv_kernel_sizes: Vec<Vec<usize>>,
    /// Residual blocks per encoder stage (residual planners).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_blocks_encoder: Option<Vec<usize>>,
    /// Residual blocks per decoder stage (residual planners).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_blocks_decoder: Option<Vec<usize>>,
}

impl Plans {
    /// Whether the patches are volumes.
    #[must_use]
    pub fn is_3d(&self) -> bool {
        self.plans_per_stage.first().is_some_and(|stage| stage.patch_size.len() == 3)
    }

    /// Number of image channels.
    #[must_use]
    pub fn num_modalities(&self) -> usize {
        self.modalities.len()
    }
}
