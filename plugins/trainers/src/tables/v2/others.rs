//! The root, and trainers of other networks, batches and samples.

use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{TrainerContext, variants};
use serde_json::json;

use super::choice;
use crate::generation::PLANNED_NETWORK;
use crate::table::trainer;

/// Five epochs without checkpoints and validation.
fn benchmark(b: &mut Blueprint) {
    b.max_num_epochs = 5;
    b.save_best_checkpoint = false;
    b.save_final_checkpoint = false;
    b.save_intermediate_checkpoints = false;
    b.final_validation = false;
}

/// Batch norm of as many axes as the patch has.
fn batch_norm(b: &mut Blueprint, context: &TrainerContext) {
    let axes = if context.configuration == "2d" { 2 } else { 3 };
    let norm = json!(format!("torch.nn.modules.batchnorm.BatchNorm{axes}d"));
    b.architecture.parameters.insert("norm_op".to_owned(), norm);
    b.architecture.parameters.insert("norm_op_kwargs".to_owned(), json!({"eps": 1e-5, "affine": true}));
}

variants! { trainer;
    "nnUNetv2Trainer" ("")
        "v2's default, called nnUNetTrainer by v2's commands: SGD, poly schedule, Dice and cross entropy."
        |b, _| {
            b.architecture = choice(PLANNED_NETWORK, json!({}));
            b.momentum_fallback = false;
        };
    "nnUNetTrainerBN" ("nnUNetv2Trainer") "Batch norm."
        |b, context| batch_norm(b, context);
    "nnUNetTrainerNoDeepSupervision" ("nnUNetv2Trainer") "Loss of the full resolution only."
        |b, _| b.deep_supervision = false;
    "nnUNet_Trainer_BS8" ("nnUNetv2Trainer") "Batches of 8 samples."
        |b, _| b.batch_size = Some(8);
    "nnUNetTrainerBenchmark_5epochs" ("nnUNetv2Trainer") "5 epochs to measure speed; keeps no model."
        |b, _| benchmark(b);
    "nnUNetTrainerBenchmark_5epochs_noDataLoading" ("nnUNetTrainerBenchmark_5epochs")
        "5 epochs with one random batch."
        |b, _| {
            b.dummy_load = true;
            b.augmentation = choice("noDA", json!({}));
        };
}
