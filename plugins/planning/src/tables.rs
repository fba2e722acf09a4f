//! The settings of v1's planners. Where the constructor of a class in v1 does not call its parent's, the row has the
//! same effect.

use nnunet_plugin_core::vocabulary::SegmentationExport;
use nnunet_plugin_core::{PlannerSettings, Shorten, SpacingRule, StartPatch, Topology, VramEstimate};

use crate::table::Table;

/// v1's reference value for a 2D network.
const VRAM_REFERENCE_2D: f64 = 19_739_648.0 * 50.0 / 2.0;
/// v1's reference for a 3D network of 30 features in 8 GB.
const VRAM_REFERENCE_3D: f64 = 520_000_000.0;
/// v1's reference for a 3D residual network in 8 GB.
const VRAM_REFERENCE_RESIDUAL: f64 = 1_230_348_801.0;

fn identifiers(settings: &mut PlannerSettings, plans: &str, data: &str) {
    settings.plans_identifier = plans.to_owned();
    settings.data_identifier = data.to_owned();
}

fn slices(settings: &mut PlannerSettings) {
    settings.dimensions = 2;
    settings.max_num_features = 512;
    settings.vram_reference = VRAM_REFERENCE_2D;
    settings.spacing_rule = SpacingRule::Median;
    settings.store_conv_per_stage = false;
    settings.preprocessor = "PreprocessorFor2D".to_owned();
}

fn without_resampling(settings: &mut PlannerSettings) {
    settings.preprocessor = "PreprocessorFor3D_NoResampling".to_owned();
    settings.lowres = false;
}

fn residual(settings: &mut PlannerSettings, memory: f64) {
    settings.vram_estimate = VramEstimate::FabiansUNet;
    settings.vram_reference = VRAM_REFERENCE_RESIDUAL * memory;
}

/// All planners of v1, parents before children.
pub(crate) static TABLES: [Table; 26] = [
    Table {
        name: "ExperimentPlanner3D_v21",
        extends: "",
        summary: "3D: v1's default planner.",
        change: |_| {},
    },
    Table {
        name: "ExperimentPlanner2D_v21",
        extends: "",
        summary: "2D: v1's default planner for slices.",
        change: |settings| {
            slices(settings);
            settings.data_identifier = "nnUNetData_plans_v2.1_2D".to_owned();
            settings.whole_batches = true;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_11GB",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for cards of 11 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_big", "nnUNetData_plans_v2.1_big");
            settings.vram_reference = VRAM_REFERENCE_3D * 11.0 / 8.0;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_16GB",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for cards of 16 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_16GB", "nnUNetData_plans_v2.1_16GB");
            settings.vram_reference = VRAM_REFERENCE_3D * 16.0 / 8.5;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_32GB",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for cards of 32 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_verybig", "nnUNetData_plans_v2.1_verybig");
            settings.vram_reference = VRAM_REFERENCE_3D * 32.0 / 8.0;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_3cps",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: three convolutions per stage.",
        change: |settings| {
            settings.plans_identifier = "nnUNetPlansv2.1_3cps".to_owned();
            settings.conv_per_stage = 3;
            settings.shares_data = true;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v22",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: the coarse axis stays at least three times as coarse.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.2", "nnUNetData_plans_v2.2");
            settings.spacing_rule = SpacingRule::MedianAnisotropicBounded;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v23",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: cubic resampling along the coarse axis too.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.3", "nnUNetData_plans_v2.3");
            settings.preprocessor = "Preprocessor3DDifferentResampling".to_owned();
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_Pretrained",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: the plans of another task, given with -overwrite_plans.",
        change: |settings| {
            settings.lowres = false;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_customTargetSpacing_2x2x2",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: everything at 2 x 2 x 2 mm.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_trgSp_2x2x2", "nnUNetData_plans_v2.1_trgSp_2x2x2");
            settings.target_spacing = Some([2.0; 3]);
            settings.base_num_features = 30;
            settings.vram_reference = VRAM_REFERENCE_3D;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_noResampling",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: cases keep their spacing; no low-resolution stage.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_noRes", "nnUNetData_noRes_plans_v2.1");
            without_resampling(settings);
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_noResampling_16GB",
        extends: "ExperimentPlanner3D_v21_16GB",
        summary: "3D: cases keep their spacing, for cards of 16 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_noRes_16GB", "nnUNetData_noRes_plans_16GB_v2.1");
            without_resampling(settings);
        },
    },
    Table {
        name: "ExperimentPlanner2D_v21_RGB_scaleTo_0_1",
        extends: "ExperimentPlanner2D_v21",
        summary: "2D: 8-bit images, divided by 255.",
        change: |settings| {
            identifiers(settings, "nnUNet_RGB_scaleTo_0_1", "nnUNet_RGB_scaleTo_0_1");
            settings.preprocessor = "GenericPreprocessor_scale_uint8_to_0_1".to_owned();
        },
    },
    Table {
        name: "ExperimentPlanner3DFabiansResUNet_v21",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for the residual U-Net.",
        change: |settings| {
            settings.plans_identifier = "nnUNetPlans_FabiansResUNet_v2.1".to_owned();
            residual(settings, 1.0);
            settings.shares_data = true;
        },
    },
    Table {
        name: "ExperimentPlanner3D_residual_v21_bfnnUNet",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: AMOS 2022, residual U-Net for larger cards at 1.5 x 1 x 1 mm.",
        change: |settings| {
            identifiers(settings, "nnUNetPlans_bfnnUNet_fabresnet", "nnUNetData_bfnnUNet");
            residual(settings, 15.0 / 8.0);
            settings.base_num_features = 30;
            settings.target_spacing = Some([1.5, 1.0, 1.0]);
            settings.force_separate_z = Some(false);
        },
    },
    Table {
        name: "ExperimentPlanner3D_residual_v21_bfnnUNet_31",
        extends: "ExperimentPlanner3D_residual_v21_bfnnUNet",
        summary: "3D: the same with cubic resampling of labels, and export in one pass.",
        change: |settings| {
            identifiers(settings, "nnUNetPlans_bfnnUNet_fabresnet_31", "nnUNetData_bfnnUNet_31");
            settings.preprocessor = "Preprocessor3DBetterResampling".to_owned();
            settings.segmentation_export_params = Some(SegmentationExport {
                force_separate_z: Some(false),
                interpolation_order: 1,
                interpolation_order_z: 999_999,
            });
        },
    },
    Table {
        name: "ExperimentPlanner3D_residual_v21_bfnnUNet_31_spRegnnU",
        extends: "ExperimentPlanner3D_residual_v21_bfnnUNet_31",
        summary: "3D: the same at 2 x 0.688 x 0.688 mm.",
        change: |settings| {
            identifiers(settings, "nnUNetPlans_bfnnUNet_fabresnet_31_spnnU", "nnUNetData_bfnnUNet_31_spnnU");
            settings.target_spacing = Some([2.0, 0.688_250_01, 0.688_250_01]);
        },
    },
    Table {
        name: "ExperimentPlanner",
        extends: "",
        summary: "3D: v1's first planner, which pools late.",
        change: |settings| {
            settings.plans_identifier = "nnUNetPlansfixed".to_owned();
            settings.base_num_features = 30;
            settings.vram_reference = VRAM_REFERENCE_3D;
            settings.topology = Topology::PoolLate;
            settings.spacing_rule = SpacingRule::Median;
        },
    },
    Table {
        name: "ExperimentPlanner2D",
        extends: "ExperimentPlanner",
        summary: "2D: v1's first planner; a patch is a whole slice.",
        change: |settings| {
            slices(settings);
            identifiers(settings, "nnUNetPlans", "nnUNetData_plans_v2.1_2D");
            settings.topology = Topology::SpacingBased;
            settings.shorten = Shorten::Never;
        },
    },
    Table {
        name: "ExperimentPlannerCT2",
        extends: "ExperimentPlanner",
        summary: "3D: CT is clipped, then normalized case by case.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansCT2", "nnUNet_CT2");
            settings.ct_normalization = "CT2".to_owned();
        },
    },
    Table {
        name: "ExperimentPlannernonCT",
        extends: "ExperimentPlanner",
        summary: "3D: CT is normalized as MRI is.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansnonCT", "nnUNet_nonCT");
            settings.normalization = Some("nonCT".to_owned());
        },
    },
    Table {
        name: "ExperimentPlannerTargetSpacingForAnisoAxis",
        extends: "ExperimentPlanner",
        summary: "3D: a finer target on a coarse axis.",
        change: |settings| {
            identifiers(
                settings,
                "nnUNetPlanstargetSpacingForAnisoAxis",
                "nnUNetData_targetSpacingForAnisoAxis",
            );
            settings.spacing_rule = SpacingRule::MedianAnisotropicUnbounded;
        },
    },
    Table {
        name: "ExperimentPlannerIso",
        extends: "ExperimentPlanner",
        summary: "3D: patches of equal extent in mm.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansfixedisoPatchesInmm", "nnUNet_isoPatchesInmm");
            settings.shorten = Shorten::LongestInMm;
        },
    },
    Table {
        name: "ExperimentPlanner3D_IsoPatchesInVoxels",
        extends: "ExperimentPlanner",
        summary: "3D: patches of equal numbers of voxels.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansfixedisoPatchesInVoxels", "nnUNetData_isoPatchesInVoxels");
            settings.start_patch = StartPatch::MedianCase;
            settings.shorten = Shorten::MostVoxels;
        },
    },
    Table {
        name: "ExperimentPlannerAllConv3x3",
        extends: "ExperimentPlanner",
        summary: "3D: kernels of 3 on all axes.",
        change: |settings| {
            settings.plans_identifier = "nnUNetPlansallConv3x3".to_owned();
            settings.all_conv_3 = true;
            settings.shares_data = true;
        },
    },
    Table {
        name: "ExperimentPlannerPoolBasedOnSpacing",
        extends: "ExperimentPlanner",
        summary: "3D: pools by spacing.",
        change: |settings| {
            identifiers(settings, "nnUNetPlanspoolBasedOnSpacing", "nnUNetData_poolBasedOnSpacing");
            settings.topology = Topology::SpacingBased;
        },
    },
];
