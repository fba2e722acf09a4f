//! Other losses.

use serde_json::json;

use super::choice;
use nnunet_plugin_api::variants;

use crate::table::trainer;

variants! { trainer;
    "nnUNetTrainerV2_ForceBD" ("nnUNetTrainerV2") "Dice over the batch."
        |b, _| b.batch_dice = Some(true);
    "nnUNetTrainerV2_ForceSD" ("nnUNetTrainerV2") "Dice of every sample."
        |b, _| b.batch_dice = Some(false);
    "nnUNetTrainerV2_Loss_CE" ("nnUNetTrainerV2") "Cross entropy."
        |b, _| b.loss = choice("RobustCrossEntropyLoss", json!({}));
    "nnUNetTrainerV2_Loss_CEGDL" ("nnUNetTrainerV2") "Generalized Dice and cross entropy."
        |b, _| b.loss = choice("GDL_and_CE_loss", json!({}));
    "nnUNetTrainerV2_Loss_Dice" ("nnUNetTrainerV2") "Dice."
        |b, _| b.loss = choice("SoftDiceLoss", json!({}));
    "nnUNetTrainerV2_Loss_DicewithBG" ("nnUNetTrainerV2") "Dice, background included."
        |b, _| b.loss = choice("SoftDiceLoss", json!({"do_bg": true}));
    "nnUNetTrainerV2_Loss_Dice_LR1en3" ("nnUNetTrainerV2_Loss_Dice") "Dice, learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerV2_Loss_DicewithBG_LR1en3" ("nnUNetTrainerV2_Loss_DicewithBG")
        "Dice, background included, learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerV2_Loss_Dice_squared" ("nnUNetTrainerV2") "Dice with squared terms, learning rate 1e-3."
        |b, _| {
            b.loss = choice("SoftDiceLossSquared", json!({}));
            b.initial_lr = 1e-3;
        };
    "nnUNetTrainerV2_Loss_DiceCE_noSmooth" ("nnUNetTrainerV2") "Dice without smoothing, and cross entropy."
        |b, _| b.loss = choice("DC_and_CE_loss", json!({"smooth": 0.0}));
    "nnUNetTrainerV2_Loss_DiceTopK10" ("nnUNetTrainerV2")
        "Dice, and cross entropy of the hardest tenth of the voxels."
        |b, _| b.loss = choice("DC_and_topk_loss", json!({"k": 10.0}));
    "nnUNetTrainerV2_Loss_TopK10" ("nnUNetTrainerV2") "Cross entropy of the hardest tenth of the voxels."
        |b, _| b.loss = choice("TopKLoss", json!({"k": 10.0}));
    "nnUNetTrainerV2_Loss_MCC" ("nnUNetTrainerV2") "Matthews' correlation, learning rate 1e-3."
        |b, _| {
            b.loss = choice("MCCLoss", json!({}));
            b.initial_lr = 1e-3;
        };
    "nnUNetTrainerV2_Loss_MCCnoBG" ("nnUNetTrainerV2")
        "Matthews' correlation without background, learning rate 1e-3."
        |b, _| {
            b.loss = choice("MCCLoss", json!({"do_bg": false}));
            b.initial_lr = 1e-3;
        };
    "nnUNetTrainerV2_SegLoss_Focal" ("nnUNetTrainerV2") "Focal loss."
        |b, _| b.loss = choice("FocalLossV2", json!({"alpha": 0.5, "gamma": 2.0, "smooth": 1e-5}));
    "nnUNetTrainerV2_graduallyTransitionFromCEToDice" ("nnUNetTrainerV2")
        "Cross entropy for 500 epochs, then step by step the Dice, which is alone from 750 on."
        |b, _| b.loss = choice("DC_and_CE_loss", json!({"weight_ce": 2.0, "weight_dice": 0.0, "transition": [500, 750]}));
}
