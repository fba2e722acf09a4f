//! Other augmentations.

use nnunet_plugin_api::variants;
use nnunet_plugin_api::vocabulary::Blueprint;
use serde_json::json;

use super::choice;
use crate::table::trainer;

fn no_mirroring(b: &mut Blueprint) {
    b.mirror_axes = Some(Vec::new());
}

variants! { trainer;
    "nnUNetTrainerNoMirroring" ("nnUNetv2Trainer") "No mirroring."
        |b, _| no_mirroring(b);
    "nnUNetv2TrainerNoDA" ("nnUNetv2Trainer") "No augmentation; called nnUNetTrainerNoDA by v2's commands."
        |b, _| {
            b.augmentation = choice("noDA", json!({}));
            no_mirroring(b);
        };
    "nnUNetTrainer_onlyMirror01" ("nnUNetv2Trainer") "Mirrors along the first axis, and the second of volumes."
        |b, context| b.mirror_axes = Some(if context.configuration == "2d" { vec![0] } else { vec![0, 1] });
    "nnUNetTrainer_onlyMirror01_1500ep" ("nnUNetTrainer_onlyMirror01")
        "Mirrors along the first axis, and the second of volumes; 1500 epochs."
        |b, _| b.max_num_epochs = 1500;
    "nnUNetTrainerDA5" ("nnUNetv2Trainer") "Augmentation DA5: many kinds."
        |b, _| b.augmentation = choice("DA5", json!({}));
    "nnUNetTrainerDA5_10epochs" ("nnUNetTrainerDA5") "Augmentation DA5, 10 epochs."
        |b, _| b.max_num_epochs = 10;
    "nnUNetTrainer_onlyMirror01_DA5" ("nnUNetTrainerDA5")
        "Augmentation DA5; mirrors along the first axis, and the second of volumes."
        |b, context| b.mirror_axes = Some(if context.configuration == "2d" { vec![0] } else { vec![0, 1] });
}
