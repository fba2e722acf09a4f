//! The plugins behind a training, for its checkpoints.

use nnunet_engine::components;
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::session::Session;
use nnunet_plugin_api::Kind;
use nnunet_plugin_api::vocabulary::Optimizer;
use nnunet_trainers::Resolved;

/// Kinds of components that take part in training: the data has been preprocessed.
pub(crate) const TRAINING: [Kind; 6] =
    [Kind::Augmentation, Kind::Architecture, Kind::Block, Kind::Loss, Kind::Optimizer, Kind::Trainer];
/// Kinds of components that take part in prediction.
pub(crate) const PREDICTION: [Kind; 4] =
    [Kind::Preprocessor, Kind::Normalization, Kind::Architecture, Kind::Block];

/// The plugins behind a trainer, all that its settings name and what these are made of, and behind `others`, which the
/// plans name.
pub(crate) fn of_training(
    trainer: &Resolved,
    others: impl IntoIterator<Item = (Kind, String)>,
    session: &Session,
) -> Vec<PluginUse> {
    let blueprint = &trainer.blueprint;
    let trainers = trainer.names.iter().map(|name| (Kind::Trainer, name.clone()));
    let optimizer = match &blueprint.optimizer {
        Optimizer::Other(choice) => Some((Kind::Optimizer, choice.name.clone())),
        _ => None,
    };
    let named = [
        (Kind::Architecture, blueprint.architecture.name.clone()),
        (Kind::Augmentation, blueprint.augmentation.name.clone()),
        (Kind::Loss, blueprint.loss.name.clone()),
    ];
    let all = trainers.chain(others).chain(named).chain(optimizer).chain(components::parts());
    provenance::plugins_used(session, all)
}
