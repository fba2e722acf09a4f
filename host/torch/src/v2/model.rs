//! The networks of a v2 model's folder.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::v2::Dataset;
use nnunet_engine::provenance;
use nnunet_engine::session::Session;
use nnunet_inference::SegmentationHeads;
use nnunet_plugin_api::{Kind, Network, TaskHead};

use super::checkpoint::{self, Checkpoint, OwnHead};
use super::plans::{Configuration, Plans};
use super::plans_check;
use crate::family::LoadRequest;
use crate::{components, network, unknown_trainer};

/// Features of a network's first resolution in most plans, for the memory of networks that do not say.
const DEFAULT_FEATURES: usize = 32;

/// Networks of all folds, and what they share.
pub(super) struct Model {
    pub(super) plans: Plans,
    pub(super) dataset: Dataset,
    pub(super) configuration: Configuration,
    pub(super) output_head: SegmentationHeads,
    /// Number of outputs of the networks.
    pub(super) outputs: usize,
    /// What the outputs mean, if the trainer named a head.
    pub(super) head: Option<TaskHead>,
    pub(super) networks: Vec<Box<dyn Network>>,
    pub(super) mirror_axes: Vec<usize>,
    /// Name of the trainer, if the checkpoint has it.
    pub(super) trainer: String,
    /// Features of the first resolution.
    pub(super) features: usize,
    /// The checkpoints.
    pub(super) files: Vec<PathBuf>,
}

impl Model {
    /// Loads a checkpoint of every fold.
    pub(super) fn load(request: &LoadRequest<'_>) -> Result<Self> {
        let LoadRequest { folder, args, session, device, .. } = request;
        let (plans, dataset) = (plans_check::load(folder)?, Dataset::load(folder)?);
        let files = checkpoint::files(folder, &args.folds, args.checkpoint.as_deref())?;
        let first = Checkpoint::open(&files[0])?;
        let configuration = plans_check::configuration(&plans, first.configuration()?)?;
        let mirror_axes = first.mirror_axes(configuration.patch_size.len())?;
        check_trainer(&first, session)?;
        let output_head = dataset.heads()?;
        let head = head(&first, session)?;
        let trainer = first.own_trainer().unwrap_or("unknown").to_owned();
        let axes = configuration.patch_size.len();
        let mut planned = configuration.network.network(axes)?;
        // A trainer may have exchanged the norm that the plans name.
        if first.has_running_statistics()? {
            planned.use_batch_norm();
        }
        let choice = planned.choice(&session.registry)?;
        let input_channels = configuration.input_channels(&dataset);
        let outputs = head.as_ref().map_or(Ok(output_head.count()), TaskHead::outputs)?;
        let spec = planned.spec(input_channels, outputs, &configuration.patch_size);
        let features = planned.features().unwrap_or(DEFAULT_FEATURES);
        let mut networks = Vec::new();
        let mut next = Some(first);
        for file in &files {
            let checkpoint = match next.take() {
                Some(first) => first,
                None => Checkpoint::open(file)?,
            };
            let (mut store, network) = network::build_for(file, &session.registry, &choice, &spec, *device)?;
            checkpoint.read_weights(&mut store)?;
            store.freeze()?;
            networks.push(network);
        }
        Ok(Self {
            plans,
            dataset,
            configuration,
            output_head,
            outputs,
            head,
            networks,
            mirror_axes,
            trainer,
            features,
            files,
        })
    }
}

/// The head that the trainer named.
fn head(checkpoint: &Checkpoint, session: &Session) -> Result<Option<TaskHead>> {
    let Some(OwnHead { choice, task }) = checkpoint.head()? else { return Ok(None) };
    provenance::require("the model was", &checkpoint.plugins()?, session, &[Kind::Head])?;
    components::head(&session.registry, &choice, task).map(Some)
}

/// Warns the user of a trainer that is not known here.
fn check_trainer(checkpoint: &Checkpoint, session: &Session) -> Result<()> {
    let Some(trainer) = checkpoint.trainer() else { return Ok(()) };
    if session.registry.find(Kind::Trainer, trainer).is_err() {
        unknown_trainer::by_name(trainer)?;
    }
    Ok(())
}
