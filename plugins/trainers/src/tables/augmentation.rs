//! Other augmentations.

use serde_json::json;

use super::{choice, network};
use nnunet_plugin_api::variants;

use crate::table::trainer;

variants! { trainer;
    "nnUNetTrainerV2_DA2" ("nnUNetTrainerV2") "Augmentation DA2: each axis is scaled and rotated on its own, brightness."
        |b, _| b.augmentation = choice("DA2", json!({}));
    "nnUNetTrainerV2_DA3" ("nnUNetTrainerV2") "Augmentation DA3: stronger, with elastic deformation."
        |b, _| b.augmentation = choice("DA3", json!({}));
    "nnUNetTrainerV2_DA3_BN" ("nnUNetTrainerV2_DA3") "Augmentation DA3, batch norm."
        |b, _| network(b, json!({"norm": "batch"}));
    "nnUNetTrainerV2_DA5" ("nnUNetTrainerV2") "Augmentation DA5: many kinds."
        |b, _| b.augmentation = choice("DA5", json!({}));
    "nnUNetTrainerV2_independentScalePerAxis" ("nnUNetTrainerV2") "Each axis is scaled on its own."
        |b, _| b.augmentation = choice("independentScalePerAxis", json!({}));
    "nnUNetTrainerV2_insaneDA" ("nnUNetTrainerV2") "Strong augmentation."
        |b, _| b.augmentation = choice("insaneDA", json!({}));
    "nnUNetTrainerV2_MMS" ("nnUNetTrainerV2_insaneDA") "The M&Ms challenge of 2020: strong augmentation, batch norm."
        |b, _| {
            b.augmentation = choice("MMS", json!({}));
            network(b, json!({"norm": "batch"}));
        };
    "nnUNetTrainerV2_noMirroring" ("nnUNetTrainerV2") "No mirroring."
        |b, _| b.mirror_axes = Some(Vec::new());
    "nnUNetTrainerV2_noDataAugmentation" ("nnUNetTrainerV2") "No augmentation."
        |b, _| {
            b.augmentation = choice("noDA", json!({}));
            b.mirror_axes = Some(Vec::new());
        };
}
