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

/// The share of a batch's samples that have foreground by default.
fn forced_share(b: &Blueprint, context: &TrainerContext) -> f64 {
    let planned = context.plans.plans_per_stage.get(context.stage).map(|stage| stage.batch_size);
    let samples = planned.filter(|samples| *samples > 0).unwrap_or(2) as f64;
    let others = (samples * (1.0 - b.oversample_foreground_percent)).round_ties_even();
    (samples - others) / samples
}

variants! { trainer;
    "nnUNetv2Trainer" ("")
        "v2's default, called nnUNetTrainer by v2's commands: SGD, poly schedule, Dice and cross entropy."
        |b, _| {
            b.architecture = choice(PLANNED_NETWORK, json!({}));
            b.augmentation = choice("v2DA", json!({}));
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
            b.augmentation = choice("v2NoDA", json!({}));
        };
    "nnUNetTrainer_probabilisticOversampling" ("nnUNetv2Trainer")
        "Each sample has foreground with the probability of the share that batches have by default."
        |b, context| {
            b.probabilistic_oversampling = true;
            b.oversample_foreground_percent = forced_share(b, context);
        };
    "nnUNetTrainer_probabilisticOversampling_033" ("nnUNetTrainer_probabilisticOversampling")
        "Each sample has foreground with a probability of 0.33."
        |b, _| b.oversample_foreground_percent = 0.33;
    "nnUNetTrainer_probabilisticOversampling_010" ("nnUNetTrainer_probabilisticOversampling")
        "Each sample has foreground with a probability of 0.1."
        |b, _| b.oversample_foreground_percent = 0.1;
}
