//! Trainers that measure speed. They keep no model and validate nothing.

use nnunet_plugin_api::vocabulary::Blueprint;
use serde_json::json;

use super::choice;
use nnunet_plugin_api::variants;

use crate::table::trainer;

fn speed_test(b: &mut Blueprint, epochs: usize) {
    b.max_num_epochs = epochs;
    b.save_best_checkpoint = false;
    b.save_final_checkpoint = false;
    b.save_intermediate_checkpoints = false;
    b.final_validation = false;
}

/// The same random batch in every step: nothing is loaded.
fn dummy(b: &mut Blueprint) {
    b.dummy_load = true;
    b.augmentation = choice("noDA", json!({}));
}

fn cross_entropy(b: &mut Blueprint) {
    b.loss = choice("RobustCrossEntropyLoss", json!({}));
}

variants! { trainer;
    "nnUNetTrainerV2_2epochs" ("nnUNetTrainerV2") "2 epochs to measure speed; keeps no model."
        |b, _| speed_test(b, 2);
    "nnUNetTrainerV2_5epochs" ("nnUNetTrainerV2") "5 epochs to measure speed; keeps no model."
        |b, _| speed_test(b, 5);
    "nnUNetTrainerV2_5epochs_noDS" ("nnUNetTrainerV2_noDeepSupervision")
        "5 epochs without deep supervision to measure speed."
        |b, _| speed_test(b, 5);
    "nnUNetTrainerV2_5epochs_CEnoDS" ("nnUNetTrainerV2_noDeepSupervision")
        "5 epochs of cross entropy without deep supervision to measure speed."
        |b, _| {
            speed_test(b, 5);
            cross_entropy(b);
        };
    "nnUNetTrainerV2_5epochs_dummyLoad" ("nnUNetTrainerV2_5epochs") "5 epochs with one random batch."
        |b, _| dummy(b);
    "nnUNetTrainerV2_2epochs_dummyLoad" ("nnUNetTrainerV2_5epochs_dummyLoad") "2 epochs with one random batch."
        |b, _| b.max_num_epochs = 2;
    "nnUNetTrainerV2_5epochs_dummyLoadCEnoDS" ("nnUNetTrainerV2_noDeepSupervision")
        "5 epochs of cross entropy without deep supervision, with one random batch."
        |b, _| {
            speed_test(b, 5);
            cross_entropy(b);
            dummy(b);
        };
    "nnUNetTrainerV2_DDP_5epochs" ("nnUNetTrainerV2_DDP") "5 epochs to measure speed; keeps no model."
        |b, _| speed_test(b, 5);
    "nnUNetTrainerV2_DDP_5epochs_dummyLoad" ("nnUNetTrainerV2_DDP_5epochs") "5 epochs with one random batch."
        |b, _| dummy(b);
}
