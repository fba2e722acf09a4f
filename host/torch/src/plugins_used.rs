//! The plugins behind a training, for its checkpoints.

use nnunet_engine::components::parts;
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::session::Session;
use nnunet_plugin_api::Kind;
use nnunet_trainers::Resolved;

use crate::components;

/// Kinds of components that take part in training: the data has been preprocessed.
pub(crate) const TRAINING: [Kind; 11] = [
    Kind::Sampler,
    Kind::Augmentation,
    Kind::Transform,
    Kind::Architecture,
    Kind::Block,
    Kind::Head,
    Kind::Loss,
    Kind::Optimizer,
    Kind::Schedule,
    Kind::Metric,
    Kind::Trainer,
];
/// Kinds of components that take part in prediction.
pub(crate) const PREDICTION: [Kind; 5] =
    [Kind::Preprocessor, Kind::Normalization, Kind::Architecture, Kind::Block, Kind::Head];

/// The plugins behind a trainer, all that its settings name and what these are made of, and behind `others`, which the
/// plans name.
pub(crate) fn of_training(
    trainer: &Resolved,
    others: impl IntoIterator<Item = (Kind, String)>,
    session: &Session,
) -> Vec<PluginUse> {
    let trainers = trainer.names.iter().map(|name| (Kind::Trainer, name.clone()));
    let named = components::named_by(&trainer.blueprint);
    provenance::plugins_used(session, trainers.chain(others).chain(named).chain(parts()))
}
