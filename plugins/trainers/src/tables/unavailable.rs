//! Classes of v1 that cannot train, there or here. Naming one gives the reason.

use crate::table::unavailable;

macro_rules! unavailable {
    ($($name:literal $reason:literal;)*) => {
        $(nnunet_plugin_api::inventory::submit!(nnunet_plugin_api::Registration(|| unavailable($name, $reason)));)*
    };
}

unavailable! {
    "nnUNetTrainerCascadeFullRes"
        "in v1 it never creates an optimizer and fails in the first step; use nnUNetTrainerV2CascadeFullRes";
    "nnUNetTrainerNoDA"
        "in v1 it never creates an optimizer and fails in the first step; use nnUNetTrainerV2_noDataAugmentation";
    "nnUNetTrainerV2_softDeepSupervision"
        "its loss is in a private package of v1's authors; use nnUNetTrainerV2";
    "nnUNetTrainerV2_fullEvals"
        "in v1 it fails at its first validation; use nnUNetTrainerV2BraTSRegions";
    "nnUNetTrainerV2BraTSRegions_DDP"
        "in v1 its training step is not implemented; use nnUNetTrainerV2BraTSRegions";
    "NetworkTrainer"
        "it is the abstract base of v1's trainers; use nnUNetTrainerV2";
}
