//! The names v1 gives to training on several devices. They compute what their parent computes: v1's differ in how a batch
//! is shared out.

use nnunet_plugin_api::{Component, Info, Kind, Registration, Trainer, inventory};

/// On one device, the parent.
struct OneDevice;

impl Trainer for OneDevice {
    fn extends(&self) -> String {
        "nnUNetTrainerV2".to_owned()
    }
}

fn named(name: &'static str, summary: &'static str) -> Component {
    Component::trainer(Info::new(Kind::Trainer, name, summary), |_| Ok(Box::new(OneDevice)))
}

inventory::submit!(Registration(|| named("nnUNetTrainerV2_DP", "For train_DP; on one device the default.")));
inventory::submit!(Registration(|| named(
    "nnUNetTrainerV2_DDP",
    "For train_DDP; on one device the default."
)));
