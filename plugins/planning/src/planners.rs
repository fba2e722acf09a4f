//! v1's planners as components. Where the constructor of a class in v1 does not call its parent's, the row has the
//! same effect.

use nnunet_plugin_core::vocabulary::SegmentationExport;
use nnunet_plugin_core::{
    PlannerSettings, Shorten, SpacingRule, StartPatch, Topology, Variant, VramEstimate, variants,
};

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

variants! { Variant::planner;
    "ExperimentPlanner3D_v21" ("")
        "3D: v1's default planner."
        |_| {};
    "ExperimentPlanner2D_v21" ("")
        "2D: v1's default planner for slices."
        |settings| {
            slices(settings);
            settings.data_identifier = "nnUNetData_plans_v2.1_2D".to_owned();
            settings.whole_batches = true;
        };
    "ExperimentPlanner3D_v21_11GB" ("ExperimentPlanner3D_v21")
        "3D: patches for cards of 11 GB."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.1_big", "nnUNetData_plans_v2.1_big");
            settings.vram_reference = VRAM_REFERENCE_3D * 11.0 / 8.0;
        };
    "ExperimentPlanner3D_v21_16GB" ("ExperimentPlanner3D_v21")
        "3D: patches for cards of 16 GB."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.1_16GB", "nnUNetData_plans_v2.1_16GB");
            settings.vram_reference = VRAM_REFERENCE_3D * 16.0 / 8.5;
        };
    "ExperimentPlanner3D_v21_32GB" ("ExperimentPlanner3D_v21")
        "3D: patches for cards of 32 GB."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.1_verybig", "nnUNetData_plans_v2.1_verybig");
            settings.vram_reference = VRAM_REFERENCE_3D * 32.0 / 8.0;
        };
    "ExperimentPlanner3D_v21_3cps" ("ExperimentPlanner3D_v21")
        "3D: three convolutions per stage."
        |settings| {
            settings.plans_identifier = "nnUNetPlansv2.1_3cps".to_owned();
            settings.conv_per_stage = 3;
            settings.shares_data = true;
        };
    "ExperimentPlanner3D_v22" ("ExperimentPlanner3D_v21")
        "3D: the coarse axis stays at least three times as coarse."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.2", "nnUNetData_plans_v2.2");
            settings.spacing_rule = SpacingRule::MedianAnisotropicBounded;
        };
    "ExperimentPlanner3D_v23" ("ExperimentPlanner3D_v21")
        "3D: cubic resampling along the coarse axis too."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.3", "nnUNetData_plans_v2.3");
            settings.preprocessor = "Preprocessor3DDifferentResampling".to_owned();
        };
    "ExperimentPlanner3D_v21_Pretrained" ("ExperimentPlanner3D_v21")
        "3D: the plans of another task, given with -overwrite_plans."
        |settings| {
            settings.lowres = false;
        };
    "ExperimentPlanner3D_v21_customTargetSpacing_2x2x2" ("ExperimentPlanner3D_v21")
        "3D: everything at 2 x 2 x 2 mm."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.1_trgSp_2x2x2", "nnUNetData_plans_v2.1_trgSp_2x2x2");
            settings.target_spacing = Some([2.0; 3]);
            settings.base_num_features = 30;
            settings.vram_reference = VRAM_REFERENCE_3D;
        };
    "ExperimentPlanner3D_v21_noResampling" ("ExperimentPlanner3D_v21")
        "3D: cases keep their spacing; no low-resolution stage."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.1_noRes", "nnUNetData_noRes_plans_v2.1");
            without_resampling(settings);
        };
    "ExperimentPlanner3D_v21_noResampling_16GB" ("ExperimentPlanner3D_v21_16GB")
        "3D: cases keep their spacing, for cards of 16 GB."
        |settings| {
            identifiers(settings, "nnUNetPlansv2.1_noRes_16GB", "nnUNetData_noRes_plans_16GB_v2.1");
            without_resampling(settings);
        };
    "ExperimentPlanner2D_v21_RGB_scaleTo_0_1" ("ExperimentPlanner2D_v21")
        "2D: 8-bit images, divided by 255."
        |settings| {
            identifiers(settings, "nnUNet_RGB_scaleTo_0_1", "nnUNet_RGB_scaleTo_0_1");
            settings.preprocessor = "GenericPreprocessor_scale_uint8_to_0_1".to_owned();
        };
    "ExperimentPlanner3DFabiansResUNet_v21" ("ExperimentPlanner3D_v21")
        "3D: patches for the residual U-Net."
        |settings| {
            settings.plans_identifier = "nnUNetPlans_FabiansResUNet_v2.1".to_owned();
            residual(settings, 1.0);
            settings.shares_data = true;
        };
    "ExperimentPlanner3D_residual_v21_bfnnUNet" ("ExperimentPlanner3D_v21")
        "3D: AMOS 2022, residual U-Net for larger cards at 1.5 x 1 x 1 mm."
        |settings| {
            identifiers(settings, "nnUNetPlans_bfnnUNet_fabresnet", "nnUNetData_bfnnUNet");
            residual(settings, 15.0 / 8.0);
            settings.base_num_features = 30;
            settings.target_spacing = Some([1.5, 1.0, 1.0]);
            settings.force_separate_z = Some(false);
        };
    "ExperimentPlanner3D_residual_v21_bfnnUNet_31" ("ExperimentPlanner3D_residual_v21_bfnnUNet")
        "3D: the same with cubic resampling of labels, and export in one pass."
        |settings| {
            identifiers(settings, "nnUNetPlans_bfnnUNet_fabresnet_31", "nnUNetData_bfnnUNet_31");
            settings.preprocessor = "Preprocessor3DBetterResampling".to_owned();
            settings.segmentation_export_params = Some(SegmentationExport {
                force_separate_z: Some(false),
                interpolation_order: 1,
                interpolation_order_z: 999_999,
            });
        };
    "ExperimentPlanner3D_residual_v21_bfnnUNet_31_spRegnnU" ("ExperimentPlanner3D_residual_v21_bfnnUNet_31")
        "3D: the same at 2 x 0.688 x 0.688 mm."
        |settings| {
            identifiers(settings, "nnUNetPlans_bfnnUNet_fabresnet_31_spnnU", "nnUNetData_bfnnUNet_31_spnnU");
            settings.target_spacing = Some([2.0, 0.688_250_01, 0.688_250_01]);
        };
    "ExperimentPlanner" ("")
        "3D: v1's first planner, which pools late."
        |settings| {
            settings.plans_identifier = "nnUNetPlansfixed".to_owned();
            settings.base_num_features = 30;
            settings.vram_reference = VRAM_REFERENCE_3D;
            settings.topology = Topology::PoolLate;
            settings.spacing_rule = SpacingRule::Median;
        };
    "ExperimentPlanner2D" ("ExperimentPlanner")
        "2D: v1's first planner; a patch is a whole slice."
        |settings| {
            slices(settings);
            identifiers(settings, "nnUNetPlans", "nnUNetData_plans_v2.1_2D");
            settings.topology = Topology::SpacingBased;
            settings.shorten = Shorten::Never;
        };
    "ExperimentPlannerCT2" ("ExperimentPlanner")
        "3D: CT is clipped, then normalized case by case."
        |settings| {
            identifiers(settings, "nnUNetPlansCT2", "nnUNet_CT2");
            settings.ct_normalization = "CT2".to_owned();
        };
    "ExperimentPlannernonCT" ("ExperimentPlanner")
        "3D: CT is normalized as MRI is."
        |settings| {
            identifiers(settings, "nnUNetPlansnonCT", "nnUNet_nonCT");
            settings.normalization = Some("nonCT".to_owned());
        };
    "ExperimentPlannerTargetSpacingForAnisoAxis" ("ExperimentPlanner")
        "3D: a finer target on a coarse axis."
        |settings| {
            identifiers(
                settings,
                "nnUNetPlanstargetSpacingForAnisoAxis",
                "nnUNetData_targetSpacingForAnisoAxis",
            );
            settings.spacing_rule = SpacingRule::MedianAnisotropicUnbounded;
        };
    "ExperimentPlannerIso" ("ExperimentPlanner")
        "3D: patches of equal extent in mm."
        |settings| {
            identifiers(settings, "nnUNetPlansfixedisoPatchesInmm", "nnUNet_isoPatchesInmm");
            settings.shorten = Shorten::LongestInMm;
        };
    "ExperimentPlanner3D_IsoPatchesInVoxels" ("ExperimentPlanner")
        "3D: patches of equal numbers of voxels."
        |settings| {
            identifiers(settings, "nnUNetPlansfixedisoPatchesInVoxels", "nnUNetData_isoPatchesInVoxels");
            settings.start_patch = StartPatch::MedianCase;
            settings.shorten = Shorten::MostVoxels;
        };
    "ExperimentPlannerAllConv3x3" ("ExperimentPlanner")
        "3D: kernels of 3 on all axes."
        |settings| {
            settings.plans_identifier = "nnUNetPlansallConv3x3".to_owned();
            settings.all_conv_3 = true;
            settings.shares_data = true;
        };
    "ExperimentPlannerPoolBasedOnSpacing" ("ExperimentPlanner")
        "3D: pools by spacing."
        |settings| {
            identifiers(settings, "nnUNetPlanspoolBasedOnSpacing", "nnUNetData_poolBasedOnSpacing");
            settings.topology = Topology::SpacingBased;
        };
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::{Factory, Registration, inventory};

    #[test]
    fn a_child_inherits_its_parents_values() {
        let lookup = |name: &str| {
            let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
            match found.map(|component| component.factory) {
                Some(Factory::Planner(make)) => make(&Default::default()),
                _ => Err(nnunet_plugin_core::Error::message(format!("no {name}"))),
            }
        };
        let settings = crate::resolve("ExperimentPlanner3D_v21_noResampling_16GB", &lookup).unwrap().settings;
        assert_eq!(settings.vram_reference, 520_000_000.0 * 16.0 / 8.5);
        assert!(!settings.lowres);
    }
}
