//! Planners: they make the plans from the fingerprint of a data set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vocabulary::{Fingerprint, Plans, SegmentationExport};
use crate::{Result, V2PlannerSettings};

/// Decides patch size, batch size, spacing and network topology for a data set. A planner starts from the settings of
/// its parent, changes some of them, and has hooks for what no setting covers.
///
/// ```
/// use nnunet_plugin_api::vocabulary::Fingerprint;
/// use nnunet_plugin_api::{Planner, PlannerSettings, Result};
///
/// /// Larger networks, on voxels of 1 mm.
/// struct Large;
///
/// impl Planner for Large {
///     fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
///         settings.base_num_features = 48;
///         settings.plans_identifier = "nnUNetPlansLarge".to_owned();
///         settings.data_identifier = "nnUNetData_large".to_owned();
///         Ok(())
///     }
///
///     fn target_spacing(&self, _fingerprint: &Fingerprint) -> Result<Option<[f64; 3]>> {
///         Ok(Some([1.0; 3]))
///     }
/// }
///
/// let mut settings = PlannerSettings::default();
/// Large.configure(&mut settings).unwrap();
/// assert_eq!(settings.base_num_features, 48);
/// assert_eq!(Large.extends(), "ExperimentPlanner3D_v21");
/// ```
///
/// Source: v1's `ExperimentPlanner` family.
pub trait Planner: Send + Sync {
    /// The planner this one starts from; empty for a root.
    fn extends(&self) -> String {
        "ExperimentPlanner3D_v21".to_owned()
    }

    /// Changes the parent's settings.
    ///
    /// # Errors
    /// Returns an error if the settings contradict each other.
    fn configure(&self, _settings: &mut PlannerSettings) -> Result<()> {
        Ok(())
    }

    /// The target spacing in mm, (z, y, x), instead of the rule in the settings.
    ///
    /// # Errors
    /// Returns an error if the planner does not support the data set.
    fn target_spacing(&self, _fingerprint: &Fingerprint) -> Result<Option<[f64; 3]>> {
        Ok(None)
    }

    /// Changes or rejects the finished plans.
    ///
    /// ```
    /// use nnunet_plugin_api::vocabulary::Plans;
    /// use nnunet_plugin_api::{Planner, Result};
    ///
    /// /// Halves the batch size of every stage.
    /// struct SmallBatches;
    ///
    /// impl Planner for SmallBatches {
    ///     fn finish(&self, plans: &mut Plans) -> Result<()> {
    ///         plans.plans_per_stage.iter_mut().for_each(|stage| stage.batch_size = (stage.batch_size / 2).max(1));
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error to reject the plans.
    fn finish(&self, _plans: &mut Plans) -> Result<()> {
        Ok(())
    }
}

/// All settings of planning. The defaults are those of `ExperimentPlanner3D_v21`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlannerSettings {
    /// Number of axes of a patch: 2 or 3.
    pub dimensions: usize,
    /// Identifier of the plans, with which the name of the plans file begins.
    pub plans_identifier: String,
    /// Identifier of the preprocessed data: the name of its folder without the stage.
    pub data_identifier: String,
    /// Feature maps of the first stage.
    pub base_num_features: usize,
    /// Largest number of feature maps of a stage (in the memory estimate).
    pub max_num_features: usize,
    /// Convolutions per stage.
    pub conv_per_stage: usize,
    /// Write `conv_per_stage` to the plans; v1's 2D planners do not.
    pub store_conv_per_stage: bool,
    /// Memory that the network may use, in v1's unit (voxels times feature maps).
    pub vram_reference: f64,
    /// GPU memory in GB to plan for, instead of `vram_reference`: the reference is scaled from the 8 GB it was tuned
    /// for.
    pub gpu_memory_gb: Option<f64>,
    /// The network whose memory is estimated.
    pub vram_estimate: VramEstimate,
    /// How poolings and convolution kernels are derived from spacing and patch size.
    pub topology: Topology,
    /// Smallest size of a feature map along an axis, voxels.
    pub min_feature_map_edge: usize,
    /// Largest number of poolings along an axis.
    pub max_num_pool: usize,
    /// The initial patch, which is reduced until the network fits into memory.
    pub start_patch: StartPatch,
    /// The axis along which a patch that does not fit into memory is reduced.
    pub shorten: Shorten,
    /// Convolution kernels of size 3 along all axes of all stages, instead of those of the topology.
    pub all_conv_3: bool,
    /// Smallest batch size (`max_batch_share` may reduce it further).
    pub min_batch_size: usize,
    /// The batch size is a multiple of the smallest one.
    pub whole_batches: bool,
    /// Largest fraction of all voxels of the data set that a batch may contain.
    pub max_batch_share: f64,
    /// How the target spacing is derived from the fingerprint.
    pub spacing_rule: SpacingRule,
    /// A fixed target spacing, mm, (z, y, x), instead of the rule.
    pub target_spacing: Option<[f64; 3]>,
    /// An axis is anisotropic when its spacing (or size) differs by more than this factor.
    pub anisotropy_threshold: f64,
    /// Plan a low-resolution stage (for the cascade) if cases are large.
    pub lowres: bool,
    /// A low-resolution stage is planned if the median case has this many times the voxels of a patch.
    pub lowres_threshold: f64,
    /// Normalization scheme of every channel, instead of the rule by modality: `CT`, `CT2`, `nonCT`, `noNorm`.
    pub normalization: Option<String>,
    /// Normalization scheme of a channel called `CT` or `ct`.
    pub ct_normalization: String,
    /// Name of the preprocessor, written to the plans.
    pub preprocessor: String,
    /// Resample the axis of largest spacing separately: always or never, instead of by anisotropy.
    pub force_separate_z: Option<bool>,
    /// How predictions are resampled to the original grid; written to the plans if given.
    pub segmentation_export_params: Option<SegmentationExport>,
    /// Use data that another planner has preprocessed under the same identifier.
    pub shares_data: bool,
    /// Settings of a planner for data sets of nnU-Net v2; none: the planner is for tasks of v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v2: Option<V2PlannerSettings>,
}

/// Networks whose memory can be estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VramEstimate {
    /// Plain U-Net.
    #[serde(rename = "Generic_UNet")]
    GenericUnet,
    /// U-Net with a residual encoder; the plans also name the blocks of every stage, and begin with a pooling of 1.
    FabiansUNet,
}

/// Initial patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartPatch {
    /// The same extent in mm along all axes, 512 voxels along the shortest axis, clipped to the median
    /// case.
    Isotropic,
    /// The median case.
    MedianCase,
}

/// Rules for the axis along which a patch is reduced; of equal axes the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shorten {
    /// The axis along which the patch covers the largest fraction of the median case.
    CoversMost,
    /// The axis of largest extent in mm.
    LongestInMm,
    /// The axis of most voxels; for a cube, the one of largest spacing.
    MostVoxels,
    /// None: a patch that does not fit is an error.
    Never,
}

/// Rules that derive poolings and convolution kernels from spacing and patch size, by the names of v1's functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// `get_pool_and_conv_props`: by spacing.
    SpacingBased,
    /// `get_pool_and_conv_props_v2`.
    SpacingBasedV2,
    /// `get_pool_and_conv_props_poolLateV2`: by size.
    PoolLate,
}

/// Rules for the target spacing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpacingRule {
    /// The median spacing of every axis.
    Median,
    /// The median; the 10th percentile for an axis whose spacing is much larger and whose size much smaller than
    /// those of both other axes, but not less than their spacing.
    MedianAnisotropic,
    /// As `median_anisotropic`, but not less than `anisotropy_threshold` times the spacing of the other axes.
    MedianAnisotropicBounded,
    /// The median; the 10th percentile for an axis whose spacing is much larger than those of both other axes and
    /// whose size is much smaller than that of one of them.
    MedianAnisotropicUnbounded,
}

/// v1's memory estimate of a U-Net of 30 feature maps that fits into 8 GB.
const VRAM_REFERENCE_30_FEATURES: f64 = 520_000_000.0;

impl PlannerSettings {
    /// v1's default 3D planner and those that inherit its rule allow so much memory for every feature of the first stage;
    /// all others allow a fixed amount. To be called after `base_num_features` was changed from that of `before`.
    pub fn scale_reference(&mut self, before: &Self) {
        let reference = |features: usize| VRAM_REFERENCE_30_FEATURES * features as f64 / 30.0;
        let follows_features = before.vram_reference == reference(before.base_num_features)
            && before.topology == Topology::SpacingBased
            && before.v2.is_none();
        if follows_features && self.vram_reference == before.vram_reference {
            self.vram_reference = reference(self.base_num_features);
        }
    }
}

impl Default for PlannerSettings {
    fn default() -> Self {
        Self {
            dimensions: 3,
            plans_identifier: "nnUNetPlansv2.1".to_owned(),
            data_identifier: "nnUNetData_plans_v2.1".to_owned(),
            base_num_features: 32,
            max_num_features: 320,
            conv_per_stage: 2,
            store_conv_per_stage: true,
            vram_reference: VRAM_REFERENCE_30_FEATURES * 32.0 / 30.0,
            gpu_memory_gb: None,
            vram_estimate: VramEstimate::GenericUnet,
            topology: Topology::SpacingBased,
            min_feature_map_edge: 4,
            max_num_pool: 999,
            start_patch: StartPatch::Isotropic,
            shorten: Shorten::CoversMost,
            all_conv_3: false,
            min_batch_size: 2,
            whole_batches: false,
            max_batch_share: 0.05,
            spacing_rule: SpacingRule::MedianAnisotropic,
            target_spacing: None,
            anisotropy_threshold: 3.0,
            lowres: true,
            lowres_threshold: 4.0,
            normalization: None,
            ct_normalization: "CT".to_owned(),
            preprocessor: "GenericPreprocessor".to_owned(),
            force_separate_z: None,
            segmentation_export_params: None,
            shares_data: false,
            v2: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_features_get_less_memory_where_v1_scales_it() {
        let scaled = |change: fn(&mut PlannerSettings)| {
            let mut before = PlannerSettings::default();
            change(&mut before);
            let mut settings = PlannerSettings { base_num_features: 8, ..before.clone() };
            settings.scale_reference(&before);
            settings.vram_reference
        };
        assert_eq!(scaled(|_| {}), 520_000_000.0 * 8.0 / 30.0);
        assert_eq!(scaled(|settings| settings.vram_reference = 1e9), 1e9);
    }
}
