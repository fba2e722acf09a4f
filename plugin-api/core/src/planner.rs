//! Planners: from fingerprint to plans.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vocabulary::{Fingerprint, Plans, SegmentationExport};
use crate::{Result, V2PlannerSettings};

/// Decides patch size, batch size, spacing and network topology for a data set. A planner starts from the settings of its
/// parent, changes some of them, and has hooks for what no setting covers.
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
    /// Settings that contradict each other.
    fn configure(&self, _settings: &mut PlannerSettings) -> Result<()> {
        Ok(())
    }

    /// The target spacing in mm, (z, y, x), instead of the rule in the settings.
    ///
    /// # Errors
    /// A data set this planner cannot handle.
    fn target_spacing(&self, _fingerprint: &Fingerprint) -> Result<Option<[f64; 3]>> {
        Ok(None)
    }

    /// Looks at finished plans and changes what it likes.
    ///
    /// # Errors
    /// Plans this planner cannot live with.
    fn finish(&self, _plans: &mut Plans) -> Result<()> {
        Ok(())
    }
}

/// All settings of planning. The defaults are those of `ExperimentPlanner3D_v21`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlannerSettings {
    /// 2 or 3: patches are slices or volumes.
    pub dimensions: usize,
    /// Start of the plans file's name.
    pub plans_identifier: String,
    /// Name of the preprocessed data.
    pub data_identifier: String,
    /// Features of the first stage.
    pub base_num_features: usize,
    /// Features of no stage exceed this (in the memory estimate).
    pub max_num_features: usize,
    /// Convolutions per stage.
    pub conv_per_stage: usize,
    /// Written to the plans: v1's 2D planners leave `conv_per_stage` out.
    pub store_conv_per_stage: bool,
    /// Memory the network may take, in v1's units (voxels times features).
    pub vram_reference: f64,
    /// The same as a multiple of the reference for the card v1 was tuned on (8 GB); wins when given.
    pub gpu_memory_gb: Option<f64>,
    /// Which network the memory estimate is for.
    pub vram_estimate: VramEstimate,
    /// How poolings and kernels follow from spacing and patch.
    pub topology: Topology,
    /// A feature map is never smaller than this along an axis.
    pub min_feature_map_edge: usize,
    /// Poolings per axis never exceed this.
    pub max_num_pool: usize,
    /// The patch that is shrunk until the network fits into memory.
    pub start_patch: StartPatch,
    /// Which axis of a patch that does not fit is shortened.
    pub shorten: Shorten,
    /// Kernels of 3 everywhere, whatever the topology says.
    pub all_conv_3: bool,
    /// Smallest batch before the data-set limit.
    pub min_batch_size: usize,
    /// The batch is a multiple of the smallest one.
    pub whole_batches: bool,
    /// Share of all voxels of the data set that one batch may cover.
    pub max_batch_share: f64,
    /// How the target spacing follows from the fingerprint.
    pub spacing_rule: SpacingRule,
    /// A fixed target spacing, mm, (z, y, x), instead of the rule.
    pub target_spacing: Option<[f64; 3]>,
    /// An axis is anisotropic when its spacing (or size) differs by more than this factor.
    pub anisotropy_threshold: f64,
    /// Whether a low-resolution stage is considered.
    pub lowres: bool,
    /// A low-resolution stage is made when a patch sees less than 1/this of the median case.
    pub lowres_threshold: f64,
    /// Scheme for every channel instead of the rule: `CT`, `CT2`, `nonCT`, `noNorm`.
    pub normalization: Option<String>,
    /// Scheme for a channel called `CT` or `ct`.
    pub ct_normalization: String,
    /// The preprocessor the plans name.
    pub preprocessor: String,
    /// Overrides when the preprocessor resamples the axis of largest spacing on its own.
    pub force_separate_z: Option<bool>,
    /// How predictions are resampled; written to the plans when given.
    pub segmentation_export_params: Option<SegmentationExport>,
    /// Data that another planner preprocessed under the same identifier is used as it is.
    pub shares_data: bool,
    /// Settings for data sets of v2; none: the planner is for tasks of v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v2: Option<V2PlannerSettings>,
}

/// The networks whose memory can be estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VramEstimate {
    /// Plain U-Net.
    #[serde(rename = "Generic_UNet")]
    GenericUnet,
    /// Residual encoder U-Net; the plans get the blocks of every stage, and a first pooling of 1.
    FabiansUNet,
}

/// Patches to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartPatch {
    /// Equal extent in mm on all axes, at least 512 voxels, clipped to the median case.
    Isotropic,
    /// The median case.
    MedianCase,
}

/// Axes that can be shortened; of equal ones the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shorten {
    /// The axis that covers most of the median case.
    CoversMost,
    /// The axis that is longest in mm.
    LongestInMm,
    /// The axis of most voxels; the coarsest one of a cube.
    MostVoxels,
    /// None: a patch that does not fit is an error.
    Never,
}

/// Rules that turn spacing and patch into poolings and kernels.
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
    /// The median; on an axis that is much coarser and much shorter than both others the 10th percentile, but not less
    /// than the others' spacing.
    MedianAnisotropic,
    /// The same, but not less than `anisotropy_threshold` times the others' spacing.
    MedianAnisotropicBounded,
    /// The median; on an axis that is much coarser than both others and much shorter than one of them the 10th percentile.
    MedianAnisotropicUnbounded,
}

/// Estimate for which v1 was tuned: a U-Net of 30 features in 8 GB.
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
