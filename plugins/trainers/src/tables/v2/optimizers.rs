//! Other optimizers and schedules.

use nnunet_plugin_api::variants;
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, LearningRateSchedule, Optimizer};

use crate::table::trainer;

fn adam(b: &mut Blueprint) {
    b.optimizer = Optimizer::Adam { amsgrad: false, betas: [0.9, 0.999], eps: 1e-8 };
}

/// Adam with decoupled weight decay and AMSGrad.
fn adam_w(b: &mut Blueprint) {
    b.optimizer = Optimizer::AdamW { amsgrad: true, betas: [0.9, 0.999], eps: 1e-8 };
}

variants! { trainer;
    "nnUNetTrainerAdan" ("nnUNetv2Trainer") "Adan."
        |b, _| b.optimizer = Optimizer::Other(ComponentChoice::named("Adan"));
    "nnUNetTrainerAdan1en1" ("nnUNetTrainerAdan") "Adan, learning rate 1e-1."
        |b, _| b.initial_lr = 1e-1;
    "nnUNetTrainerAdan1en3" ("nnUNetTrainerAdan") "Adan, learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerAdan3en4" ("nnUNetTrainerAdan") "Adan, learning rate 3e-4."
        |b, _| b.initial_lr = 3e-4;
    "nnUNetTrainerAdanCosAnneal" ("nnUNetTrainerAdan") "Adan; the learning rate falls as a cosine."
        |b, _| b.lr_schedule = LearningRateSchedule::Cosine;
    "nnUNetTrainerAdam" ("nnUNetv2Trainer") "AdamW with AMSGrad."
        |b, _| adam_w(b);
    "nnUNetTrainerAdam1en3" ("nnUNetTrainerAdam") "AdamW with AMSGrad, learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerAdam3en4" ("nnUNetTrainerAdam") "AdamW with AMSGrad, learning rate 3e-4."
        |b, _| b.initial_lr = 3e-4;
    "nnUNetTrainerVanillaAdam" ("nnUNetv2Trainer") "Adam."
        |b, _| adam(b);
    "nnUNetTrainerVanillaAdam1en3" ("nnUNetTrainerVanillaAdam") "Adam, learning rate 1e-3."
        |b, _| b.initial_lr = 1e-3;
    "nnUNetTrainerVanillaAdam3en4" ("nnUNetTrainerVanillaAdam") "Adam, learning rate 3e-4."
        |b, _| b.initial_lr = 3e-4;
    "nnUNetTrainerCosAnneal" ("nnUNetv2Trainer") "The learning rate falls as a cosine."
        |b, _| b.lr_schedule = LearningRateSchedule::Cosine;
    "nnUNetTrainer_warmup" ("nnUNetv2Trainer") "50 epochs of rising learning rate, then poly to the last epoch."
        |b, _| b.lr_schedule = LearningRateSchedule::LinearWarmUpPoly { epochs: 50, exponent: 0.9 };
}
