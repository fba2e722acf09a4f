//! The same trainers under other names, for repeated trainings.

use nnunet_plugin_api::variants;

use crate::table::trainer;

variants! { trainer;
    "nnUNetTrainerV2_copy1" ("nnUNetTrainerV2") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_copy2" ("nnUNetTrainerV2") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_copy3" ("nnUNetTrainerV2") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_copy4" ("nnUNetTrainerV2") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_BN_copy1" ("nnUNetTrainerV2_BN") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_BN_copy2" ("nnUNetTrainerV2_BN") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_BN_copy3" ("nnUNetTrainerV2_BN") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_BN_copy4" ("nnUNetTrainerV2_BN") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Adam_copy1" ("nnUNetTrainerV2_Adam") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Adam_copy2" ("nnUNetTrainerV2_Adam") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Adam_copy3" ("nnUNetTrainerV2_Adam") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Adam_copy4" ("nnUNetTrainerV2_Adam") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Loss_TopK10_copy1" ("nnUNetTrainerV2_Loss_TopK10") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Loss_TopK10_copy2" ("nnUNetTrainerV2_Loss_TopK10") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Loss_TopK10_copy3" ("nnUNetTrainerV2_Loss_TopK10") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_Loss_TopK10_copy4" ("nnUNetTrainerV2_Loss_TopK10") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_noDataAugmentation_copy1" ("nnUNetTrainerV2_noDataAugmentation") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_noDataAugmentation_copy2" ("nnUNetTrainerV2_noDataAugmentation") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_noDataAugmentation_copy3" ("nnUNetTrainerV2_noDataAugmentation") "The same, for another run." |_, _| {};
    "nnUNetTrainerV2_noDataAugmentation_copy4" ("nnUNetTrainerV2_noDataAugmentation") "The same, for another run." |_, _| {};
}
