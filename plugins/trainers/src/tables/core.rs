//! The two roots, and trainers that differ in how they run.

use nnunet_plugin_api::vocabulary::{LearningRateSchedule, Optimizer, Patience, Precision};
use serde_json::json;

use super::choice;
use nnunet_plugin_api::variants;

use crate::table::trainer;

variants! { trainer;
    "nnUNetTrainerV2" ("")
        "v1's default: SGD, poly schedule, Dice and cross entropy, deep supervision."
        |_, _| {};
    "nnUNetTrainer" ("")
        "v1's first version: Adam, plateau schedule, one output, less augmentation."
        |b, _| {
            b.optimizer = Optimizer::Adam { amsgrad: true, betas: [0.9, 0.999], eps: 1e-8 };
            b.initial_lr = 3e-4;
            b.lr_schedule = LearningRateSchedule::Plateau { factor: 0.2, patience: 30, threshold: 1e-3 };
            b.patience = Some(Patience::default());
            b.deep_supervision = false;
            b.gradient_clipping = None;
            b.momentum_fallback = false;
            b.augmentation = choice("defaultDA", json!({}));
        };
    "nnUNetTrainerCE" ("nnUNetTrainer")
        "v1's first version with cross entropy."
        |b, _| b.loss = choice("RobustCrossEntropyLoss", json!({}));
    "nnUNetTrainerV2_DP" ("nnUNetTrainerV2")
        "For train_DP; on one device the default."
        |_, _| {};
    "nnUNetTrainerV2_DDP" ("nnUNetTrainerV2")
        "For train_DDP; on one device the default."
        |_, _| {};
    "nnUNetTrainerV2_fp16" ("nnUNetTrainerV2")
        "As the default."
        |_, _| {};
    "nnUNetTrainerV2_fp32" ("nnUNetTrainerV2")
        "Single precision."
        |b, _| b.precision = Precision::Fp32;
    "nnUNetTrainerV2_resample33" ("nnUNetTrainerV2")
        "As the default."
        |_, _| {};
}
