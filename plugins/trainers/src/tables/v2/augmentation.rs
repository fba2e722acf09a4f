//! Other augmentations.

use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{TrainerContext, variants};
use serde_json::{Value, json};

use super::choice;
use crate::table::trainer;

/// The first axis, and of volumes the second too.
fn mirror_01(b: &mut Blueprint, context: &TrainerContext) {
    b.mirror_axes = Some(if context.configuration == "2d" { vec![0] } else { vec![0, 1] });
}

/// More parameters for the augmentation.
fn augmentation(b: &mut Blueprint, parameters: Value) {
    b.augmentation.parameters.extend(parameters.as_object().cloned().unwrap_or_default());
}

fn nearest_labels(b: &mut Blueprint) {
    augmentation(b, json!({"label_interpolation": "nearest"}));
}

fn no_mirroring(b: &mut Blueprint) {
    b.mirror_axes = Some(Vec::new());
}

variants! { trainer;
    "nnUNetTrainerNoMirroring" ("nnUNetv2Trainer") "No mirroring."
        |b, _| no_mirroring(b);
    "nnUNetv2TrainerNoDA" ("nnUNetv2Trainer") "No augmentation; called nnUNetTrainerNoDA by v2's commands."
        |b, _| {
            b.augmentation = choice("v2NoDA", json!({}));
            no_mirroring(b);
        };
    "nnUNetTrainer_onlyMirror01" ("nnUNetv2Trainer") "Mirrors along the first axis, and the second of volumes."
        |b, context| mirror_01(b, context);
    "nnUNetTrainer_onlyMirror01_1500ep" ("nnUNetTrainer_onlyMirror01")
        "Mirrors along the first axis, and the second of volumes; 1500 epochs."
        |b, _| b.max_num_epochs = 1500;
    "nnUNetTrainerDA5" ("nnUNetv2Trainer") "Augmentation DA5: many kinds."
        |b, _| b.augmentation = choice("v2DA5", json!({}));
    "nnUNetTrainerDA5_10epochs" ("nnUNetTrainerDA5") "Augmentation DA5, 10 epochs."
        |b, _| b.max_num_epochs = 10;
    "nnUNetTrainer_onlyMirror01_DA5" ("nnUNetTrainerDA5")
        "Augmentation DA5; mirrors along the first axis, and the second of volumes."
        |b, context| mirror_01(b, context);
    "nnUNetTrainerDA5ord0" ("nnUNetTrainerDA5") "Augmentation DA5, images and labels by nearest neighbor."
        |b, _| augmentation(b, json!({"interpolation": "nearest", "label_interpolation": "nearest"}));
    "nnUNetTrainerDA5Segord0" ("nnUNetTrainerDA5") "Augmentation DA5, labels by nearest neighbor."
        |b, _| nearest_labels(b);
    "nnUNetTrainer_DASegOrd0" ("nnUNetv2Trainer") "Labels are rotated and scaled by nearest neighbor."
        |b, _| nearest_labels(b);
    "nnUNetTrainer_DASegOrd0_NoMirroring" ("nnUNetTrainer_DASegOrd0")
        "Labels are rotated and scaled by nearest neighbor, no mirroring."
        |b, _| no_mirroring(b);
    "nnUNetTrainer_onlyMirror01_DASegOrd0" ("nnUNetTrainer_onlyMirror01")
        "Mirrors along the first axis, and the second of volumes; labels by nearest neighbor."
        |b, _| nearest_labels(b);
    "nnUNetTrainer_noDummy2DDA" ("nnUNetv2Trainer") "Anisotropic volumes are rotated and scaled as volumes."
        |b, _| augmentation(b, json!({"dummy_2d": false}));
}
