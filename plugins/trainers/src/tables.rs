//! The values of v1's trainers, by what they change: loss, optimiser and schedule, network, everything else.
//!
//! In the closures `b` is the blueprint.

use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Optimizer, Precision};
use serde_json::{Value, json};

use crate::schedules;
use crate::table::Table;

/// A component with parameters.
fn choice(name: &str, parameters: Value) -> ComponentChoice {
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    ComponentChoice { name: name.to_owned(), parameters }
}

/// More parameters for the network.
fn network(b: &mut Blueprint, parameters: Value) {
    b.architecture.parameters.extend(parameters.as_object().cloned().unwrap_or_default());
}

fn momentum(b: &mut Blueprint, value: f64) {
    b.optimizer = Optimizer::Sgd { momentum: value, nesterov: true };
}

fn speed_test(b: &mut Blueprint, epochs: usize) {
    b.max_num_epochs = epochs;
    b.save_best_checkpoint = false;
    b.save_final_checkpoint = false;
    b.save_intermediate_checkpoints = false;
}

/// Trainers that change a few values of a parent, parents before children.
pub(crate) static TABLES: [Table; 61] = [
    Table {
        name: "nnUNetTrainerV2_ForceBD",
        extends: "nnUNetTrainerV2",
        summary: "Dice over the batch.",
        change: |b, _| b.batch_dice = Some(true),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_ForceSD",
        extends: "nnUNetTrainerV2",
        summary: "Dice of every sample.",
        change: |b, _| b.batch_dice = Some(false),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_CE",
        extends: "nnUNetTrainerV2",
        summary: "Cross entropy.",
        change: |b, _| b.loss = choice("RobustCrossEntropyLoss", json!({})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_CEGDL",
        extends: "nnUNetTrainerV2",
        summary: "Generalised Dice and cross entropy.",
        change: |b, _| b.loss = choice("GDL_and_CE_loss", json!({})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_Dice",
        extends: "nnUNetTrainerV2",
        summary: "Dice.",
        change: |b, _| b.loss = choice("SoftDiceLoss", json!({})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_DicewithBG",
        extends: "nnUNetTrainerV2",
        summary: "Dice, background included.",
        change: |b, _| b.loss = choice("SoftDiceLoss", json!({"do_bg": true})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_Dice_LR1en3",
        extends: "nnUNetTrainerV2_Loss_Dice",
        summary: "Dice, learning rate 1e-3.",
        change: |b, _| b.initial_lr = 1e-3,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_DicewithBG_LR1en3",
        extends: "nnUNetTrainerV2_Loss_DicewithBG",
        summary: "Dice, background included, learning rate 1e-3.",
        change: |b, _| b.initial_lr = 1e-3,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_Dice_squared",
        extends: "nnUNetTrainerV2",
        summary: "Dice with squared terms, learning rate 1e-3.",
        change: |b, _| {
            b.loss = choice("SoftDiceLossSquared", json!({}));
            b.initial_lr = 1e-3;
        },
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_DiceCE_noSmooth",
        extends: "nnUNetTrainerV2",
        summary: "Dice without smoothing, and cross entropy.",
        change: |b, _| b.loss = choice("DC_and_CE_loss", json!({"smooth": 0.0})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_DiceTopK10",
        extends: "nnUNetTrainerV2",
        summary: "Dice, and cross entropy of the hardest tenth of the voxels.",
        change: |b, _| b.loss = choice("DC_and_topk_loss", json!({"k": 10.0})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_TopK10",
        extends: "nnUNetTrainerV2",
        summary: "Cross entropy of the hardest tenth of the voxels.",
        change: |b, _| b.loss = choice("TopKLoss", json!({"k": 10.0})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_TopK10_copy1",
        extends: "nnUNetTrainerV2_Loss_TopK10",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_TopK10_copy2",
        extends: "nnUNetTrainerV2_Loss_TopK10",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_TopK10_copy3",
        extends: "nnUNetTrainerV2_Loss_TopK10",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_TopK10_copy4",
        extends: "nnUNetTrainerV2_Loss_TopK10",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_MCC",
        extends: "nnUNetTrainerV2",
        summary: "Matthews' correlation, learning rate 1e-3.",
        change: |b, _| {
            b.loss = choice("MCCLoss", json!({}));
            b.initial_lr = 1e-3;
        },
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Loss_MCCnoBG",
        extends: "nnUNetTrainerV2",
        summary: "Matthews' correlation without background, learning rate 1e-3.",
        change: |b, _| {
            b.loss = choice("MCCLoss", json!({"do_bg": false}));
            b.initial_lr = 1e-3;
        },
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_SGD_lr1en1",
        extends: "nnUNetTrainerV2",
        summary: "Learning rate 0.1.",
        change: |b, _| b.initial_lr = 0.1,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_SGD_lr1en3",
        extends: "nnUNetTrainerV2",
        summary: "Learning rate 1e-3.",
        change: |b, _| b.initial_lr = 1e-3,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_SGD_fixedSchedule",
        extends: "nnUNetTrainerV2",
        summary: "Learning rate in steps of ten.",
        change: |_, _| {},
        learning_rate: Some(schedules::steps),
    },
    Table {
        name: "nnUNetTrainerV2_SGD_fixedSchedule2",
        extends: "nnUNetTrainerV2",
        summary: "Learning rate in steps of ten, then polynomial.",
        change: |_, _| {},
        learning_rate: Some(schedules::steps_then_poly),
    },
    Table {
        name: "nnUNetTrainerV2_cycleAtEnd",
        extends: "nnUNetTrainerV2",
        summary: "1000 epochs, then one cycle up to 1e-3.",
        change: |b, _| b.max_num_epochs = 1100,
        learning_rate: Some(schedules::cycle_at_end),
    },
    Table {
        name: "nnUNetTrainerV2_cycleAtEnd2",
        extends: "nnUNetTrainerV2",
        summary: "1000 epochs, then one cycle up to 1e-2.",
        change: |b, _| b.max_num_epochs = 1200,
        learning_rate: Some(schedules::cycle_at_end_2),
    },
    Table {
        name: "nnUNetTrainerV2_warmup",
        extends: "nnUNetTrainerV2",
        summary: "50 epochs of rising learning rate, then 1000.",
        change: |b, _| b.max_num_epochs = 1050,
        learning_rate: Some(schedules::warm_up),
    },
    Table {
        name: "nnUNetTrainerV2_momentum09",
        extends: "nnUNetTrainerV2",
        summary: "Momentum 0.9.",
        change: |b, _| momentum(b, 0.9),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_momentum095",
        extends: "nnUNetTrainerV2",
        summary: "Momentum 0.95.",
        change: |b, _| momentum(b, 0.95),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_momentum098",
        extends: "nnUNetTrainerV2",
        summary: "Momentum 0.98.",
        change: |b, _| momentum(b, 0.98),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_momentum09in2D",
        extends: "nnUNetTrainerV2",
        summary: "Momentum 0.9 for slices.",
        change: |b, context| {
            if context.configuration == "2d" {
                momentum(b, 0.9);
            }
        },
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_fp16",
        extends: "nnUNetTrainerV2",
        summary: "As the default.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_fp32",
        extends: "nnUNetTrainerV2",
        summary: "Single precision.",
        change: |b, _| b.precision = Precision::Fp32,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_3ConvPerStage",
        extends: "nnUNetTrainerV2",
        summary: "Three convolutions per stage, 24 features.",
        change: |b, _| network(b, json!({"conv_per_stage": 3, "base_num_features": 24})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_3ConvPerStageSameFilters",
        extends: "nnUNetTrainerV2",
        summary: "Three convolutions per stage.",
        change: |b, _| network(b, json!({"conv_per_stage": 3})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_GN",
        extends: "nnUNetTrainerV2",
        summary: "Group norm.",
        change: |b, _| network(b, json!({"norm": "group"})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_GeLU",
        extends: "nnUNetTrainerV2",
        summary: "GELU.",
        change: |b, _| network(b, json!({"nonlinearity": "gelu", "init_slope": 0.01})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_LReLU_slope_2en1",
        extends: "nnUNetTrainerV2",
        summary: "Leaky rectifier of slope 0.2.",
        change: |b, _| network(b, json!({"negative_slope": 0.2, "init_slope": 0.0})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_Mish",
        extends: "nnUNetTrainerV2",
        summary: "Mish.",
        change: |b, _| network(b, json!({"nonlinearity": "mish", "init_slope": 0.0})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_NoNormalization",
        extends: "nnUNetTrainerV2",
        summary: "No normalisation in the network.",
        change: |b, _| network(b, json!({"norm": "none"})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_NoNormalization_lr1en3",
        extends: "nnUNetTrainerV2_NoNormalization",
        summary: "No normalisation in the network, learning rate 1e-3.",
        change: |b, _| b.initial_lr = 1e-3,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_ReLU",
        extends: "nnUNetTrainerV2",
        summary: "Rectifier.",
        change: |b, _| network(b, json!({"negative_slope": 0.0})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_ReLU_biasInSegOutput",
        extends: "nnUNetTrainerV2",
        summary: "Rectifier, outputs with bias.",
        change: |b, _| network(b, json!({"negative_slope": 0.0, "seg_output_bias": true})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_ReLU_convReLUIN",
        extends: "nnUNetTrainerV2",
        summary: "Rectifier before the normalisation.",
        change: |b, _| network(b, json!({"negative_slope": 0.0, "norm_last": true})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_lReLU_biasInSegOutput",
        extends: "nnUNetTrainerV2",
        summary: "Outputs with bias.",
        change: |b, _| network(b, json!({"init_slope": 0.0, "seg_output_bias": true})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_lReLU_convReLUIN",
        extends: "nnUNetTrainerV2",
        summary: "Leaky rectifier before the normalisation.",
        change: |b, _| network(b, json!({"norm_last": true})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_allConv3x3",
        extends: "nnUNetTrainerV2",
        summary: "Kernels of 3 on all axes.",
        change: |b, _| network(b, json!({"all_conv_3": true})),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noDeepSupervision",
        extends: "nnUNetTrainerV2",
        summary: "Loss of the full resolution only.",
        change: |b, _| b.deep_supervision = false,
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noMirroring",
        extends: "nnUNetTrainerV2",
        summary: "No mirroring.",
        change: |b, _| b.mirror_axes = Some(Vec::new()),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noDataAugmentation",
        extends: "nnUNetTrainerV2",
        summary: "No augmentation.",
        change: |b, _| {
            b.augmentation = ComponentChoice::named("noDA");
            b.mirror_axes = Some(Vec::new());
        },
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noDataAugmentation_copy1",
        extends: "nnUNetTrainerV2_noDataAugmentation",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noDataAugmentation_copy2",
        extends: "nnUNetTrainerV2_noDataAugmentation",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noDataAugmentation_copy3",
        extends: "nnUNetTrainerV2_noDataAugmentation",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_noDataAugmentation_copy4",
        extends: "nnUNetTrainerV2_noDataAugmentation",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_copy1",
        extends: "nnUNetTrainerV2",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_copy2",
        extends: "nnUNetTrainerV2",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_copy3",
        extends: "nnUNetTrainerV2",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_copy4",
        extends: "nnUNetTrainerV2",
        summary: "The same, for another run.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_resample33",
        extends: "nnUNetTrainerV2",
        summary: "As the default.",
        change: |_, _| {},
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_2epochs",
        extends: "nnUNetTrainerV2",
        summary: "2 epochs to measure speed; keeps no model.",
        change: |b, _| speed_test(b, 2),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_5epochs",
        extends: "nnUNetTrainerV2",
        summary: "5 epochs to measure speed; keeps no model.",
        change: |b, _| speed_test(b, 5),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_5epochs_noDS",
        extends: "nnUNetTrainerV2_noDeepSupervision",
        summary: "5 epochs without deep supervision to measure speed.",
        change: |b, _| speed_test(b, 5),
        learning_rate: None,
    },
    Table {
        name: "nnUNetTrainerV2_5epochs_CEnoDS",
        extends: "nnUNetTrainerV2_noDeepSupervision",
        summary: "5 epochs of cross entropy without deep supervision to measure speed.",
        change: |b, _| {
            speed_test(b, 5);
            b.loss = choice("RobustCrossEntropyLoss", json!({}));
        },
        learning_rate: None,
    },
];
