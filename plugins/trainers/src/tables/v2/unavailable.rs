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
}
