//! The state of a training: everything that an epoch reads or changes.

use std::sync::Arc;

use nnunet_architectures::ParameterStore;
use nnunet_losses::{deep_supervision_loss, deep_supervision_weights};
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Batch, Config, Error, Loss, LossInput, Network, Result, TaskHead};
use nnunet_trainers::Resolved;

use crate::batch::BatchPlan;
use crate::case_source::CaseSource;
use crate::cases::Cases;
use crate::history::History;
use crate::metrics::MeasuredMetrics;
use crate::networks::{SecondNetworks, copy_into};
use crate::optimizer::Optimize;
use crate::sampling::SharedSampler;
use crate::scaler::LossScaler;
use crate::schedules::{Rates, Schedules};

/// Network, optimizer, loss and history of a training.
pub struct Engine {
    /// The trainer: its settings and hooks.
    pub trainer: Resolved,
    /// Parameters of the network.
    pub store: ParameterStore,
    /// The network.
    pub network: Box<dyn Network>,
    /// Other networks of the trainer.
    pub networks: SecondNetworks,
    /// The cases of the run.
    pub cases: Cases,
    /// Chooses the cases and patches of training batches.
    pub sampler: SharedSampler,
    /// Loss of one output.
    pub loss: Box<dyn Loss>,
    /// The optimizer.
    pub optimizer: Box<dyn Optimize>,
    /// Schedules of the learning rate.
    pub schedules: Schedules,
    /// What the outputs mean, if the trainer names a head.
    pub head: Option<TaskHead>,
    /// Metrics beside the foreground Dice.
    pub metrics: MeasuredMetrics,
    /// Number format of the network's input.
    pub kind: Kind,
    /// Scales the loss when that format is half precision.
    pub scaler: Option<LossScaler>,
    /// Output channels.
    pub num_classes: usize,
    /// Label of the voxels that nothing is learned from.
    pub ignore_label: Option<i64>,
    /// Epochs done.
    pub epoch: usize,
    /// Past epochs.
    pub history: History,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("trainer", &self.trainer)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// Cases and batches of a run.
pub struct Run {
    /// Training cases.
    pub train: Arc<dyn CaseSource>,
    /// Validation cases.
    pub validation: Arc<dyn CaseSource>,
    /// How training batches are made; their sampler is the engine's.
    pub train_plan: BatchPlan,
    /// How validation batches are made. Their sampler is another one, which knows other cases.
    pub validation_plan: BatchPlan,
    /// Threads that make batches.
    pub threads: usize,
    /// Training steps on a GPU are recorded as CUDA graphs where that is possible.
    pub uses_graphs: bool,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// All epochs are done.
    Finished,
    /// The user asked to stop; the state is that after the last whole epoch.
    Cancelled,
}

impl Engine {
    /// The learning rate of the next epoch's first step, of parameters of no group.
    ///
    /// # Errors
    /// Returns an error if the trainer's hook or the schedule fails.
    pub fn learning_rate(&self) -> Result<f64> {
        Ok(self.rates(0)?.main())
    }

    /// The learning rates of a step of the next epoch.
    pub(crate) fn rates(&self, step: usize) -> Result<Rates> {
        self.schedules.rates(&self.trainer, self.epoch, step)
    }

    /// The network's outputs for a batch, full resolution first.
    pub(crate) fn forward(&self, batch: &Batch, deep_supervision: bool) -> Result<Vec<Tensor>> {
        self.forward_with(&*self.network, &batch.data, deep_supervision)
    }

    /// The outputs for a batch of the network that predicts.
    pub(crate) fn predict(&self, batch: &Batch) -> Result<Vec<Tensor>> {
        let second = self.networks.predicting()?;
        let network = second.map_or(&*self.network, |second| &*second.network);
        self.forward_with(network, &batch.data, true)
    }

    /// A network's outputs for images.
    pub(crate) fn forward_with(
        &self,
        network: &dyn Network,
        data: &Tensor,
        deep_supervision: bool,
    ) -> Result<Vec<Tensor>> {
        let data = data.f_to_device(self.store.device())?.f_to_kind(self.kind)?;
        network.forward(&data, deep_supervision && self.trainer.blueprint.deep_supervision)
    }

    /// Gives the trained network the weights of the one that predicts, after training.
    ///
    /// # Errors
    /// Returns an error if the trainer named a network that it did not add.
    pub fn adopt_predicting(&mut self) -> Result<()> {
        let Some(second) = self.networks.predicting()? else { return Ok(()) };
        let weights: Vec<Tensor> =
            second.store.parameters().iter().map(|parameter| parameter.tensor.detach()).collect();
        copy_into(&self.store, &weights)
    }

    /// The parameters of the network that predicts.
    ///
    /// # Errors
    /// Returns an error if the trainer named a network that it did not add.
    pub fn predicting_store(&self) -> Result<&ParameterStore> {
        Ok(self.networks.predicting()?.map_or(&self.store, |second| &second.store))
    }

    /// The loss over all outputs of the network.
    pub(crate) fn loss_of(&self, outputs: &[Tensor], batch: &Batch) -> Result<Tensor> {
        let device = self.store.device();
        let targets =
            batch.targets.iter().map(|target| Ok(target.f_to_device(device)?)).collect::<Result<Vec<_>>>()?;
        let weights = self.output_weights(outputs.len())?;
        let properties: Vec<Config> =
            batch.cases.iter().filter_map(|case| self.cases.properties(case).ok()).collect();
        let whole = self.loss.of_batch(&LossInput {
            outputs,
            targets: &targets,
            weights: &weights,
            data: &batch.data,
            cases: &batch.cases,
            properties: &properties,
            epoch: self.epoch,
        })?;
        whole.map_or_else(|| deep_supervision_loss(&*self.loss, outputs, &targets, &weights), Ok)
    }

    /// Weights of the network's outputs: those of the blueprint, else v1's.
    fn output_weights(&self, outputs: usize) -> Result<Vec<f64>> {
        let blueprint = &self.trainer.blueprint;
        let Some(weights) = blueprint.deep_supervision_weights.as_ref().filter(|_| outputs > 1) else {
            return Ok(deep_supervision_weights(outputs, blueprint.supervise_lowest));
        };
        if weights.len() != outputs {
            let why = format!("{} weights, and the network has {outputs} outputs", weights.len());
            return Err(Error::parameter("deep_supervision_weights", why));
        }
        Ok(weights.clone())
    }
}
