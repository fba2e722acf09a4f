//! `nnUNetTrainerV2`: the blueprint's defaults.

use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{Component, Info, Kind, Registration, Trainer, inventory};

struct TrainerV2;

impl Trainer for TrainerV2 {
    fn extends(&self) -> String {
        String::new()
    }
}

inventory::submit!(Registration(|| {
    let summary = "v1's default: SGD, poly schedule, Dice and cross entropy, deep supervision.";
    let info = Info::new(Kind::Trainer, "nnUNetTrainerV2", summary).with_config::<Blueprint>();
    Component::trainer(info, |_| Ok(Box::new(TrainerV2)))
}));
