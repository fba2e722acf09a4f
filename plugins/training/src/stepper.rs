//! The training steps of an epoch on a GPU: started kernel by kernel, or as one CUDA graph.

use nnunet_plugin_api::tch::{Device, Tensor, no_grad};
use nnunet_plugin_api::{Batch, Error, Result};
use nnunet_torch_ops::{CudaGraph, ReadLater};

use crate::batch_on_device::OnDevice;
use crate::hosted::Place;
use crate::scaler::DeviceLossScaler;
use crate::schedules::Rates;
use crate::started_step::StartedStep;
use crate::state::Engine;

/// Steps that run kernel by kernel before one is recorded: cuDNN chooses its convolutions in them, and the optimizer makes its
/// state.
const WARM_UP: usize = 3;

/// Starts the steps of an epoch.
pub(crate) struct Stepper {
    scaler: Option<DeviceLossScaler>,
    graph: Graph,
    /// Whether the trainer has a step of its own; none before the first one.
    is_own: Option<bool>,
}

enum Graph {
    /// Every step is started kernel by kernel.
    Off,
    /// So many steps are left before one is recorded.
    After(usize),
    /// A recorded step.
    Ready(StepGraph),
}

/// A recorded step.
struct StepGraph {
    graph: CudaGraph,
    /// The batch that it reads.
    batch: Batch,
    /// Loss and norm of the gradients, which it writes.
    values: Tensor,
    /// Its learning rates.
    rates: Rates,
}

impl Stepper {
    pub(crate) fn new(engine: &Engine, uses_graphs: bool) -> Result<Self> {
        let can = uses_graphs
            && engine.reads_late()
            && engine.optimizer.is_recordable()
            && !engine.sampler.learns();
        let graph = if can { Graph::After(WARM_UP) } else { Graph::Off };
        Ok(Self { scaler: engine.device_scaler()?, graph, is_own: None })
    }

    /// Starts a step: the trainer's own, if it has one, else the built-in one. Trainers are asked in the first step of an epoch.
    pub(crate) fn start(
        &mut self,
        engine: &mut Engine,
        batch: &Batch,
        step: usize,
        rates: &Rates,
        refused: impl FnOnce(&Error),
    ) -> Result<StartedStep> {
        engine.optimizer.set_group_rates(&rates.groups);
        if self.is_own != Some(false) {
            let (learning_rate, scaler) = (rates.main(), self.scaler.as_ref());
            let own = engine.own_step(batch, Place { step, learning_rate, scaler })?;
            self.is_own.get_or_insert(own.is_some());
            if let Some(own) = own {
                self.graph = Graph::Off;
                return Ok(own);
            }
        }
        self.start_built_in(engine, batch, rates, refused)
    }

    /// Starts a step of the built-in kind. A step that cannot be recorded is started kernel by kernel, and so are all that follow; `refused` gets
    /// the reason.
    fn start_built_in(
        &mut self,
        engine: &mut Engine,
        batch: &Batch,
        rates: &Rates,
        refused: impl FnOnce(&Error),
    ) -> Result<StartedStep> {
        if let Graph::After(left) = &mut self.graph {
            if *left == 0 {
                self.graph = match StepGraph::record(engine, batch, rates, self.scaler.as_ref()) {
                    Ok(graph) => Graph::Ready(graph),
                    Err(error) => {
                        refused(&error);
                        Graph::Off
                    }
                };
            } else {
                *left -= 1;
            }
        }
        match &self.graph {
            Graph::Ready(graph) if graph.batch.is_like(batch) && graph.rates == *rates => graph.start(batch),
            _ => engine.start_step(batch, rates.main(), self.scaler.as_ref()),
        }
    }
}

impl StepGraph {
    fn record(
        engine: &mut Engine,
        batch: &Batch,
        rates: &Rates,
        scaler: Option<&DeviceLossScaler>,
    ) -> Result<Self> {
        let Device::Cuda(gpu) = engine.store.device() else { return Err(Error::message("there is no GPU")) };
        let batch = batch.copied()?;
        let record = || engine.step_on_device(&batch, rates.main(), scaler);
        let (graph, values) = CudaGraph::record(gpu, record)?;
        Ok(Self { graph, batch, values, rates: rates.clone() })
    }

    fn start(&self, batch: &Batch) -> Result<StartedStep> {
        let pairs = self.batch.tensors().zip(batch.tensors());
        for (ours, new) in pairs {
            no_grad(|| ours.shallow_clone().f_copy_(new))?;
        }
        self.graph.replay()?;
        Ok(StartedStep::UnderWay(ReadLater::new(&self.values)?))
    }
}
