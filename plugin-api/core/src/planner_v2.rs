//! Settings of planners for data sets of nnU-Net v2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a planner decides for a data set of v2. The defaults are those of v2's `ExperimentPlanner`, which is called
/// `nnUNetPlanner` here because v1 has a planner of that name too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct V2PlannerSettings {
    /// Name of the plans file, without `.json`.
    pub plans_identifier: String,
    /// Plans whose preprocessed data for 2d and 3d_fullres are used: they would be the same.
    pub shares_data_with: Option<String>,
    /// The network that is configured.
    pub network: V2Network,
    /// Features of the first stage.
    pub base_num_features: usize,
    /// No stage of a 2D network has more features.
    pub max_num_features_2d: usize,
    /// No stage of a 3D network has more features.
    pub max_num_features_3d: usize,
    /// Convolutions (or residual blocks) of every encoder stage; the last number holds for all further stages.
    pub blocks_encoder: Vec<usize>,
    /// Convolutions of every decoder stage; the last number holds for all further stages.
    pub blocks_decoder: Vec<usize>,
    /// Sum of all feature maps of a 2D network that fits into `vram_reference_gb` with the reference batch.
    pub vram_reference_2d: f64,
    /// The same of a 3D network.
    pub vram_reference_3d: f64,
    /// GPU memory in GB that the references stand for.
    pub vram_reference_gb: f64,
    /// GPU memory in GB to plan for.
    pub gpu_memory_gb: f64,
    /// Batch of the 2D reference.
    pub reference_batch_size_2d: usize,
    /// Batch of the 3D reference.
    pub reference_batch_size_3d: usize,
    /// The patch is shrunk until a batch of this size fits; none: until the reference batch does.
    pub patch_for_batch_size: Option<usize>,
    /// Smallest batch.
    pub min_batch_size: usize,
    /// Share of all voxels of the data set that one batch may cover.
    pub max_batch_share: f64,
    /// A feature map is never smaller than this along an axis.
    pub min_feature_map_edge: usize,
    /// A low resolution is planned when a patch covers less than this share of the median case.
    pub lowres_threshold: f64,
    /// Factor by which coarse spacings grow while a low resolution is sought.
    pub lowres_step: f64,
    /// An axis is anisotropic when its spacing (or size) differs by more than this factor.
    pub anisotropy_threshold: f64,
    /// A fixed target spacing, mm, (z, y, x), instead of the rule.
    pub target_spacing: Option<[f64; 3]>,
    /// Leaves the axes in the order of the images.
    pub keep_axis_order: bool,
    /// The preprocessor the plans name.
    pub preprocessor: String,
    /// Normalization of every channel instead of the one its name stands for.
    pub normalization: Option<String>,
    /// How images, labels and probabilities are resampled.
    pub resampling: V2Resampling,
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

/// Ways of resampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum V2Resampling {
    /// Splines; an axis of very coarse spacing apart.
    Spline,
    /// PyTorch's linear interpolation of all axes together.
    Torch,
    /// The same with an axis of very coarse spacing apart.
    TorchSeparateZ,
    /// None: every case keeps its own spacing.
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
        }
    }
}
