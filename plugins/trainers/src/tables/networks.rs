//! Other networks.

use nnunet_plugin_api::vocabulary::Blueprint;
use serde_json::json;

use super::{choice, network};
use nnunet_plugin_api::variants;

use crate::table::trainer;

/// The residual encoder; all its outputs count in the loss.
fn residual(b: &mut Blueprint) {
    b.architecture = choice("FabiansUNet", json!({"max_num_features": 320}));
    b.supervise_lowest = true;
}

variants! { trainer;
    "nnUNetTrainerV2_3ConvPerStage" ("nnUNetTrainerV2") "Three convolutions per stage, 24 features."
        |b, _| network(b, json!({"conv_per_stage": 3, "base_num_features": 24}));
    "nnUNetTrainerV2_3ConvPerStageSameFilters" ("nnUNetTrainerV2") "Three convolutions per stage."
        |b, _| network(b, json!({"conv_per_stage": 3}));
    "nnUNetTrainerV2_BN" ("nnUNetTrainerV2") "Batch norm."
        |b, _| network(b, json!({"norm": "batch"}));
    "nnUNetTrainerV2_FRN" ("nnUNetTrainerV2") "Filter response norm, for volumes."
        |b, _| network(b, json!({"norm": "filter_response", "nonlinearity": "none"}));
    "nnUNetTrainerV2_GN" ("nnUNetTrainerV2") "Group norm."
        |b, _| network(b, json!({"norm": "group"}));
    "nnUNetTrainerV2_GeLU" ("nnUNetTrainerV2") "GELU."
        |b, _| network(b, json!({"nonlinearity": "gelu", "init_slope": 0.01}));
    "nnUNetTrainerV2_LReLU_slope_2en1" ("nnUNetTrainerV2") "Leaky rectifier of slope 0.2."
        |b, _| network(b, json!({"negative_slope": 0.2, "init_slope": 0.0}));
    "nnUNetTrainerV2_Mish" ("nnUNetTrainerV2") "Mish."
        |b, _| network(b, json!({"nonlinearity": "mish", "init_slope": 0.0}));
    "nnUNetTrainerV2_NoNormalization" ("nnUNetTrainerV2") "No normalization in the network."
        |b, _| network(b, json!({"norm": "none"}));
    "nnUNetTrainerV2_NoNormalization_lr1en3" ("nnUNetTrainerV2_NoNormalization")
        "No normalization in the network, learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerV2_ReLU" ("nnUNetTrainerV2") "Rectifier."
        |b, _| network(b, json!({"negative_slope": 0.0}));
    "nnUNetTrainerV2_ReLU_biasInSegOutput" ("nnUNetTrainerV2") "Rectifier, outputs with bias."
        |b, _| network(b, json!({"negative_slope": 0.0, "seg_output_bias": true}));
    "nnUNetTrainerV2_ReLU_convReLUIN" ("nnUNetTrainerV2") "Rectifier before the normalization."
        |b, _| network(b, json!({"negative_slope": 0.0, "norm_last": true}));
    "nnUNetTrainerV2_lReLU_biasInSegOutput" ("nnUNetTrainerV2") "Outputs with bias."
        |b, _| network(b, json!({"init_slope": 0.0, "seg_output_bias": true}));
    "nnUNetTrainerV2_lReLU_convReLUIN" ("nnUNetTrainerV2") "Leaky rectifier before the normalization."
        |b, _| network(b, json!({"norm_last": true}));
    "nnUNetTrainerV2_allConv3x3" ("nnUNetTrainerV2") "Kernels of 3 on all axes."
        |b, _| network(b, json!({"all_conv_3": true}));
    "nnUNetTrainerV2_noDeepSupervision" ("nnUNetTrainerV2") "Loss of the full resolution only."
        |b, _| b.deep_supervision = false;
    "nnUNetTrainerV2_ResencUNet" ("nnUNetTrainerV2") "Residual encoder."
        |b, _| residual(b);
    "nnUNetTrainerV2_ResencUNet_DA3" ("nnUNetTrainerV2_DA3") "Residual encoder, augmentation DA3."
        |b, _| residual(b);
    "nnUNetTrainerV2_ResencUNet_DA3_BN" ("nnUNetTrainerV2_ResencUNet_DA3")
        "Residual encoder with batch norm, augmentation DA3."
        |b, _| network(b, json!({"norm": "batch"}));
    "nnUNetTrainerV2_ResencUNet_SimonsInit" ("nnUNetTrainerV2_ResencUNet")
        "Residual encoder whose blocks start by adding nothing."
        |b, _| network(b, json!({"zero_last_norm": true}));
    "nnUNetTrainerV2_ResencUNet_SimonsInit_DA5" ("nnUNetTrainerV2_ResencUNet_SimonsInit")
        "Residual encoder whose blocks start by adding nothing, augmentation DA5."
        |b, _| b.augmentation = choice("DA5", json!({}));
}
