//! The brain tumour challenge of 2020: overlapping regions.

use nnunet_plugin_api::vocabulary::{Blueprint, Region, Regions};
use serde_json::json;

use super::{choice, network};
use nnunet_plugin_api::variants;

use crate::table::trainer;

fn brats(b: &mut Blueprint) {
    let region = |name: &str, labels: &[u8]| Region { name: name.to_owned(), labels: labels.to_vec() };
    b.regions = Some(Regions {
        regions: vec![
            region("whole tumor", &[1, 2, 3]),
            region("tumor core", &[2, 3]),
            region("enhancing tumor", &[3]),
        ],
        class_order: vec![1, 2, 3],
    });
    // The Dice of every sample, whatever the configuration's rule says.
    b.loss = choice("DC_and_BCE_loss", json!({"batch_dice": false, "do_bg": true, "smooth": 0.0}));
}

fn batch_dice(b: &mut Blueprint) {
    b.loss.parameters.insert("batch_dice".to_owned(), true.into());
}

variants! { trainer;
    "nnUNetTrainerV2BraTSRegions_BN" ("nnUNetTrainerV2") "Batch norm; in spite of its name without regions."
        |b, _| network(b, json!({"norm": "batch"}));
    "nnUNetTrainerV2BraTSRegions" ("nnUNetTrainerV2") "Brain tumor regions."
        |b, _| brats(b);
    "nnUNetTrainerV2BraTSRegions_Dice" ("nnUNetTrainerV2BraTSRegions") "Brain tumor regions, Dice."
        |b, _| b.loss = choice(
            "SoftDiceLoss",
            json!({"apply_nonlin": "sigmoid", "batch_dice": false, "do_bg": true, "smooth": 0.0}),
        );
    "nnUNetTrainerV2BraTSRegions_DA3_BN" ("nnUNetTrainerV2_DA3_BN")
        "Brain tumor regions, augmentation DA3, batch norm."
        |b, _| brats(b);
    "nnUNetTrainerV2BraTSRegions_DA3" ("nnUNetTrainerV2BraTSRegions_DA3_BN")
        "Brain tumor regions, augmentation DA3."
        |b, _| network(b, json!({"norm": "instance"}));
    "nnUNetTrainerV2BraTSRegions_DA3_BD" ("nnUNetTrainerV2BraTSRegions_DA3")
        "Brain tumor regions, augmentation DA3, Dice over the batch."
        |b, _| batch_dice(b);
    "nnUNetTrainerV2BraTSRegions_DA3_BN_BD" ("nnUNetTrainerV2BraTSRegions_DA3_BN")
        "Brain tumor regions, augmentation DA3, batch norm, Dice over the batch."
        |b, _| batch_dice(b);
    "nnUNetTrainerV2BraTSRegions_DA4_BN" ("nnUNetTrainerV2BraTSRegions_DA3_BN")
        "Brain tumor regions, augmentation DA4, batch norm."
        |b, _| b.augmentation = choice("DA4", json!({}));
    "nnUNetTrainerV2BraTSRegions_DA4_BN_BD" ("nnUNetTrainerV2BraTSRegions_DA4_BN")
        "Brain tumor regions, augmentation DA4, batch norm, Dice over the batch."
        |b, _| batch_dice(b);
}
