//! Other optimizers and schedules.

use nnunet_plugin_api::vocabulary::{Blueprint, LearningRateSchedule, MomentumSchedule, Optimizer, Patience};

use nnunet_plugin_api::variants;

use crate::table::trainer;

/// Exponent of v1's polynomial decay.
const EXPONENT: f64 = 0.9;

fn momentum(b: &mut Blueprint, value: f64) {
    b.optimizer = Optimizer::Sgd { momentum: value, nesterov: true };
}

fn adam(b: &mut Blueprint) {
    b.optimizer = Optimizer::Adam { amsgrad: true, betas: [0.9, 0.999], eps: 1e-8 };
}

fn ranger(b: &mut Blueprint, rate: f64) {
    b.optimizer =
        Optimizer::Ranger { k: 6, alpha: 0.5, betas: [0.95, 0.999], eps: 1e-5, n_sma_threshold: 5.0 };
    b.initial_lr = rate;
}

fn plateau(b: &mut Blueprint) {
    b.lr_schedule = LearningRateSchedule::Plateau { factor: 0.2, patience: 30, threshold: 1e-3 };
    b.patience = Some(Patience::default());
}

fn cycle(b: &mut Blueprint, length: usize, highest: f64) {
    b.max_num_epochs = 1000 + length;
    b.lr_schedule = LearningRateSchedule::PolyThenCycle {
        epochs: 1000,
        exponent: EXPONENT,
        length,
        lowest: 1e-6,
        highest,
    };
}

variants! { trainer;
    "nnUNetTrainerV2_Adam" ("nnUNetTrainerV2") "Adam."
        |b, _| adam(b);
    "nnUNetTrainerV2_Adam_nnUNetTrainerlr" ("nnUNetTrainerV2_Adam") "Adam, learning rate 3e-4."
        |b, _| b.initial_lr = 3e-4;
    "nnUNetTrainerV2_Adam_ReduceOnPlateau" ("nnUNetTrainerV2")
        "Adam, learning rate 3e-4 until the loss stops falling."
        |b, _| {
            adam(b);
            plateau(b);
            b.initial_lr = 3e-4;
        };
    "nnUNetTrainerV2_SGD_ReduceOnPlateau" ("nnUNetTrainerV2") "The learning rate falls when the loss stops falling."
        |b, _| plateau(b);
    "nnUNetTrainerV2_SGD_lr1en1" ("nnUNetTrainerV2") "Learning rate 0.1."
        |b, _| b.initial_lr = 0.1;
    "nnUNetTrainerV2_SGD_lr1en3" ("nnUNetTrainerV2") "Learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerV2_SGD_fixedSchedule" ("nnUNetTrainerV2") "Learning rate in steps of ten."
        |b, _| b.lr_schedule = LearningRateSchedule::Steps { epochs: vec![500, 675, 850] };
    "nnUNetTrainerV2_SGD_fixedSchedule2" ("nnUNetTrainerV2") "Learning rate in steps of ten, then polynomial."
        |b, _| b.lr_schedule = LearningRateSchedule::StepThenPoly { epochs: [500, 675], exponent: EXPONENT };
    "nnUNetTrainerV2_Ranger_lr1en2" ("nnUNetTrainerV2") "Ranger, learning rate 1e-2."
        |b, _| ranger(b, 1e-2);
    "nnUNetTrainerV2_Ranger_lr3en3" ("nnUNetTrainerV2") "Ranger, learning rate 3e-3."
        |b, _| ranger(b, 3e-3);
    "nnUNetTrainerV2_Ranger_lr3en4" ("nnUNetTrainerV2") "Ranger, learning rate 3e-4."
        |b, _| ranger(b, 3e-4);
    "nnUNetTrainerV2_cycleAtEnd" ("nnUNetTrainerV2") "1000 epochs, then one cycle up to 1e-3."
        |b, _| cycle(b, 100, 1e-3);
    "nnUNetTrainerV2_cycleAtEnd2" ("nnUNetTrainerV2") "1000 epochs, then one cycle up to 1e-2."
        |b, _| cycle(b, 200, 1e-2);
    "nnUNetTrainerV2_momentum09" ("nnUNetTrainerV2") "Momentum 0.9."
        |b, _| momentum(b, 0.9);
    "nnUNetTrainerV2_momentum095" ("nnUNetTrainerV2") "Momentum 0.95."
        |b, _| momentum(b, 0.95);
    "nnUNetTrainerV2_momentum098" ("nnUNetTrainerV2") "Momentum 0.98."
        |b, _| momentum(b, 0.98);
    "nnUNetTrainerV2_momentum09in2D" ("nnUNetTrainerV2") "Momentum 0.9 for slices."
        |b, context| {
            if context.configuration == "2d" {
                momentum(b, 0.9);
            }
        };
    "nnUNetTrainerV2_reduceMomentumDuringTraining" ("nnUNetTrainerV2") "Momentum falls to 0.9 from epoch 800 on."
        |b, _| b.momentum_schedule = Some(MomentumSchedule { first: 0.99, last: 0.9, after: 800, epochs: 200 });
    "nnUNetTrainerV2_warmup" ("nnUNetTrainerV2") "50 epochs of rising learning rate, then 1000."
        |b, _| {
            b.max_num_epochs = 1050;
            b.lr_schedule = LearningRateSchedule::WarmUpPoly { epochs: 50, exponent: EXPONENT };
        };
}
