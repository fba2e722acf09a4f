//! Other losses.

use nnunet_plugin_api::variants;
use serde_json::json;

use super::choice;
use crate::table::trainer;

variants! { trainer;
    "nnUNetTrainerCELoss" ("nnUNetv2Trainer") "Cross entropy."
        |b, _| b.loss = choice("RobustCrossEntropyLoss", json!({}));
    "nnUNetTrainerCELoss_5epochs" ("nnUNetTrainerCELoss") "Cross entropy, 5 epochs."
        |b, _| b.max_num_epochs = 5;
    "nnUNetTrainerDiceLoss" ("nnUNetv2Trainer") "Dice."
        |b, _| b.loss = choice("SoftDiceLoss", json!({}));
    "nnUNetTrainerDiceCELoss_noSmooth" ("nnUNetv2Trainer") "Dice without smoothing, and cross entropy."
        |b, _| b.loss = choice("DC_and_CE_loss", json!({"smooth": 0.0}));
    "nnUNetTrainerTopk10Loss" ("nnUNetv2Trainer") "Cross entropy of the hardest tenth of the voxels."
        |b, _| b.loss = choice("TopKLoss", json!({"k": 10.0}));
    "nnUNetTrainerTopk10LossLS01" ("nnUNetv2Trainer")
        "Cross entropy of the hardest tenth of the voxels, with smoothed labels."
        |b, _| b.loss = choice("TopKLoss", json!({"k": 10.0, "label_smoothing": 0.1}));
    "nnUNetTrainerDiceTopK10Loss" ("nnUNetv2Trainer")
        "Dice, and cross entropy of the hardest tenth of the voxels."
        |b, _| b.loss = choice("DC_and_topk_loss", json!({"k": 10.0}));
}
