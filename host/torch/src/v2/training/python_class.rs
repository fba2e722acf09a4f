//! The class by which Python finds the trainer of a checkpoint.

use nnunet_engine::registry::Origin;
use nnunet_engine::session::Session;
use nnunet_plugin_api::Kind;
use nnunet_trainers::{name_in_v2, registered_in_v2};

/// The class of v2 whose models are those of a chain of trainers: the last one that is built in.
pub(super) fn python_class(names: &[String], session: &Session) -> String {
    let built_in = |name: &&String| {
        let entry = session.registry.find(Kind::Trainer, registered_in_v2(name));
        entry.is_ok_and(|entry| entry.origin == Origin::BuiltIn)
    };
    names.iter().rev().find(built_in).map_or("nnUNetTrainer", |name| name_in_v2(name)).to_owned()
}
