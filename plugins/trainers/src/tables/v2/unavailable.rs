//! Classes of v2 that do not train here, with the reason.

use crate::table::unavailable;

macro_rules! unavailable {
    ($($name:literal $reason:literal;)*) => {
        $(nnunet_plugin_api::inventory::submit!(nnunet_plugin_api::Registration(|| unavailable($name, $reason)));)*
    };
}

unavailable! {
    "nnUNetTrainerAdan" "the optimizer Adan is of another Python package and not available here; use nnUNetTrainerAdam";
    "nnUNetTrainerAdan1en1" "the optimizer Adan is not available here; use nnUNetTrainerAdam";
    "nnUNetTrainerAdan1en3" "the optimizer Adan is not available here; use nnUNetTrainerAdam1en3";
    "nnUNetTrainerAdan3en4" "the optimizer Adan is not available here; use nnUNetTrainerAdam3en4";
    "nnUNetTrainerAdanCosAnneal" "the optimizer Adan is not available here; use nnUNetTrainerCosAnneal";
    "nnUNetTrainerDA5ord0" "its nearest-neighbor warp of images is not available here; use nnUNetTrainerDA5";
    "nnUNetTrainerDA5Segord0" "its nearest-neighbor warp of labels is not available here; use nnUNetTrainerDA5";
    "nnUNetTrainer_DASegOrd0" "its nearest-neighbor warp of labels is not available here; use nnUNetTrainer";
    "nnUNetTrainer_DASegOrd0_NoMirroring"
        "its nearest-neighbor warp of labels is not available here; use nnUNetTrainerNoMirroring";
    "nnUNetTrainer_onlyMirror01_DASegOrd0"
        "its nearest-neighbor warp of labels is not available here; use nnUNetTrainer_onlyMirror01";
    "nnUNetTrainer_noDummy2DDA"
        "augmentation follows the patch here, and treats slices of anisotropic patches apart; use nnUNetTrainer";
    "nnUNetTrainer_probabilisticOversampling" "foreground is not drawn by chance here; use nnUNetTrainer";
    "nnUNetTrainer_probabilisticOversampling_010" "foreground is not drawn by chance here; use nnUNetTrainer";
    "nnUNetTrainer_probabilisticOversampling_033" "foreground is not drawn by chance here; use nnUNetTrainer";
}
