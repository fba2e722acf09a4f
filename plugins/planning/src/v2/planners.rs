//! v2's planners as components: each is a few values on its parent.

use nnunet_plugin_core::{PlannerSettings, V2Network, V2PlannerSettings, V2Resampling, Variant, variants};

/// v2's default planner. Its class is called as one of v1's is, which has the name in the registry.
const ROOT: &str = "nnUNetPlanner";
/// The class of that name in Python.
const ROOT_CLASS: &str = "ExperimentPlanner";

/// The name in the registry of a planner as v2's users call it.
#[must_use]
pub fn registered_name(class: &str) -> &str {
    if class == ROOT_CLASS { ROOT } else { class }
}

/// The name of the class, as Python's plans state it.
pub(super) fn class_name(registered: &str) -> &str {
    if registered == ROOT { ROOT_CLASS } else { registered }
}

fn v2(settings: &mut PlannerSettings) -> &mut V2PlannerSettings {
    settings.v2.get_or_insert_default()
}

fn preset(settings: &mut PlannerSettings, plans: &str, gb: f64, reference_3d: f64, reference_2d: f64) {
    let v2 = v2(settings);
    v2.plans_identifier = plans.to_owned();
    v2.gpu_memory_gb = gb;
    v2.vram_reference_gb = gb;
    v2.vram_reference_3d = reference_3d;
    v2.vram_reference_2d = reference_2d;
    v2.max_batch_share = 1.0;
}

fn own_data(settings: &mut PlannerSettings, plans: &str, resampling: V2Resampling) {
    let v2 = v2(settings);
    v2.plans_identifier = plans.to_owned();
    v2.shares_data_with = None;
    v2.resampling = resampling;
}

variants! { Variant::planner;
    "nnUNetPlanner" ("")
        "v2: the default (its class is ExperimentPlanner): plain U-Net for 8 GB."
        |settings| settings.v2 = Some(V2PlannerSettings::default());
    "ResEncUNetPlanner" ("nnUNetPlanner")
        "v2: U-Net with a residual encoder for 8 GB."
        |settings| {
            let v2 = v2(settings);
            v2.plans_identifier = "nnUNetResEncUNetPlans".to_owned();
            v2.shares_data_with = Some("nnUNetPlans".to_owned());
            v2.network = V2Network::ResidualEncoderUnet;
            v2.vram_reference_3d = 680_000_000.0;
            v2.vram_reference_2d = 135_000_000.0;
            v2.blocks_encoder = vec![1, 3, 4, 6];
            v2.blocks_decoder = vec![1];
            v2.patch_for_batch_size = None;
        };
    "nnUNetPlannerResEncM" ("ResEncUNetPlanner")
        "v2: residual encoder for GPUs of 9 to 11 GB."
        |settings| preset(settings, "nnUNetResEncUNetMPlans", 8.0, 680_000_000.0, 135_000_000.0);
    "nnUNetPlannerResEncL" ("ResEncUNetPlanner")
        "v2: residual encoder for GPUs of 24 GB."
        |settings| preset(settings, "nnUNetResEncUNetLPlans", 24.0, 2_100_000_000.0, 380_000_000.0);
    "nnUNetPlannerResEncXL" ("ResEncUNetPlanner")
        "v2: residual encoder for GPUs of 40 GB."
        |settings| preset(settings, "nnUNetResEncUNetXLPlans", 40.0, 3_600_000_000.0, 560_000_000.0);
    "nnUNetPlannerResEncL_noResampling" ("nnUNetPlannerResEncL")
        "v2: residual encoder for 24 GB; every case keeps its spacing."
        |settings| own_data(settings, "nnUNetResEncUNetLPlans_noResampling", V2Resampling::None);
    "nnUNetPlannerResEncL_torchres" ("nnUNetPlannerResEncL")
        "v2: residual encoder for 24 GB; PyTorch's linear resampling."
        |settings| own_data(settings, "nnUNetResEncUNetLPlans_torchres", V2Resampling::Torch);
    "nnUNetPlannerResEncL_torchres_sepz" ("nnUNetPlannerResEncL")
        "v2: the same with an axis of very coarse spacing apart."
        |settings| {
            own_data(settings, "nnUNetResEncUNetLPlans_torchres_sepz", V2Resampling::TorchSeparateZ);
        };
    "nnUNetPlanner_torchres" ("nnUNetPlanner")
        "v2: plain U-Net for 8 GB; PyTorch's linear resampling."
        |settings| own_data(settings, "nnUNetPlans_torchres", V2Resampling::Torch);
}
