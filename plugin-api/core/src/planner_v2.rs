//! Settings of planners for data sets of nnU-Net v2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vocabulary::ComponentChoice;

/// Settings of a planner for data sets of v2. The defaults are those of v2's `ExperimentPlanner`, which has the name
/// `nnUNetPlanner` here because v1 has an `ExperimentPlanner` too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct V2PlannerSettings {
    /// Identifier of the plans: the name of the plans file without `.json`.
    pub plans_identifier: String,
    /// Identifier of plans with the same preprocessing, whose data for 2d and 3d_fullres are used.
    pub shares_data_with: Option<String>,
    /// The network that is planned.
    pub network: V2Network,
    /// Feature maps of the first stage.
    pub base_num_features: usize,
    /// Largest number of feature maps of a stage of a 2D network.
    pub max_num_features_2d: usize,
    /// Largest number of feature maps of a stage of a 3D network.
    pub max_num_features_3d: usize,
    /// Convolutions (or residual blocks) per encoder stage; further stages have the last number.
    pub blocks_encoder: Vec<usize>,
    /// Convolutions per decoder stage; further stages have the last number.
    pub blocks_decoder: Vec<usize>,
    /// Sum of all feature maps of a 2D network that fits into `vram_reference_gb` with the reference batch size.
    pub vram_reference_2d: f64,
    /// As `vram_reference_2d`, for a 3D network.
    pub vram_reference_3d: f64,
    /// GPU memory in GB that `vram_reference_2d` and `vram_reference_3d` correspond to.
    pub vram_reference_gb: f64,
    /// GPU memory in GB to plan for.
    pub gpu_memory_gb: f64,
    /// Batch size of the 2D reference.
    pub reference_batch_size_2d: usize,
    /// Batch size of the 3D reference.
    pub reference_batch_size_3d: usize,
    /// The patch is reduced until a batch of this size fits into memory; none: until one of the reference batch size
    /// does.
    pub patch_for_batch_size: Option<usize>,
    /// Smallest batch size.
    pub min_batch_size: usize,
    /// Largest fraction of all voxels of the data set that a batch may contain.
    pub max_batch_share: f64,
    /// Smallest size of a feature map along an axis, voxels.
    pub min_feature_map_edge: usize,
    /// 3d_lowres is planned if a patch of 3d_fullres has less than this fraction of the voxels of the median case.
    pub lowres_threshold: f64,
    /// Factor by which the spacing is increased step by step to find the one of 3d_lowres.
    pub lowres_step: f64,
    /// An axis is anisotropic when its spacing (or size) differs by more than this factor.
    pub anisotropy_threshold: f64,
    /// A fixed target spacing, mm, (z, y, x), instead of the rule.
    pub target_spacing: Option<[f64; 3]>,
    /// Keep the axes in the order of the images.
    pub keep_axis_order: bool,
    /// Name of the preprocessor, written to the plans.
    pub preprocessor: String,
    /// Normalization of every channel, instead of the one that belongs to the channel's name.
    pub normalization: Option<String>,
    /// How images, labels and probabilities are resampled.
    pub resampling: V2Resampling,
    /// Resampler of images, instead of that of `resampling`: a name, or a table of a name and parameters.
    pub resampler_data: Option<ComponentChoice>,
    /// Resampler of labels, instead of that of `resampling`.
    pub resampler_seg: Option<ComponentChoice>,
    /// Resampler of scores, instead of that of `resampling`.
    pub resampler_probabilities: Option<ComponentChoice>,
}

/// Networks that v2's planners configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum V2Network {
    /// Plain U-Net.
    #[serde(rename = "PlainConvUNet")]
    PlainConvUnet,
    /// U-Net with a residual encoder.
    #[serde(rename = "ResidualEncoderUNet")]
    ResidualEncoderUnet,
}

/// Methods of resampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum V2Resampling {
    /// Spline interpolation; an axis of much larger spacing is resampled separately.
    Spline,
    /// PyTorch's linear interpolation of all axes together.
    Torch,
    /// PyTorch's linear interpolation; an axis of much larger spacing is resampled separately.
    TorchSeparateZ,
    /// No resampling: every case keeps its spacing.
    None,
}

impl Default for V2PlannerSettings {
    fn default() -> Self {
        Self {
            plans_identifier: "nnUNetPlans".to_owned(),
            shares_data_with: None,
            network: V2Network::PlainConvUnet,
            base_num_features: 32,
            max_num_features_2d: 512,
            max_num_features_3d: 320,
            blocks_encoder: vec![2],
            blocks_decoder: vec![2],
            vram_reference_2d: 85_000_000.0,
            vram_reference_3d: 560_000_000.0,
            vram_reference_gb: 8.0,
            gpu_memory_gb: 8.0,
            reference_batch_size_2d: 12,
            reference_batch_size_3d: 2,
            patch_for_batch_size: Some(2),
            min_batch_size: 2,
            max_batch_share: 0.05,
            min_feature_map_edge: 4,
            lowres_threshold: 0.25,
            lowres_step: 1.03,
            anisotropy_threshold: 3.0,
            target_spacing: None,
            keep_axis_order: false,
            preprocessor: "DefaultPreprocessor".to_owned(),
            normalization: None,
            resampling: V2Resampling::Spline,
            resampler_data: None,
            resampler_seg: None,
            resampler_probabilities: None,
        }
    }
}
