//! The loop over epochs (v1 `NetworkTrainer.run_training`, `nnUNetTrainerV2.run_iteration`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use nnunet_architectures::ParameterStore;
use nnunet_losses::{deep_supervision_loss, deep_supervision_weights};
use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{EpochReport, Error, Flow, Loss, Network, Result};
use nnunet_trainers::Resolved;

use crate::batch::{Batch, BatchPlan, CaseSource};
use crate::evaluation::OnlineEvaluation;
use crate::gradients::{clip_gradients, zero_gradients};
use crate::history::History;
use crate::optimizer::Optimize;
use crate::pool::BatchPool;

/// Validation batches draw from their own random numbers.
const VALIDATION_SEED: u64 = 0x5eed;

/// Everything a run consists of.
pub struct Engine {
    /// Blueprint and hooks.
    pub trainer: Resolved,
    /// Parameters of the network.
    pub store: ParameterStore,
    /// The network.
    pub network: Box<dyn Network>,
    /// Loss of one output.
    pub loss: Box<dyn Loss>,
    /// The optimiser.
    pub optimizer: Box<dyn Optimize>,
    /// Number format of the network's input.
    pub kind: Kind,
    /// Output channels.
    pub num_classes: usize,
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
    /// How training batches are made.
    pub train_plan: BatchPlan,
    /// How validation batches are made.
    pub validation_plan: BatchPlan,
    /// Threads that make batches.
    pub threads: usize,
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

/// What a run tells, and asks.
pub trait Observer {
    /// A new epoch begins.
    fn epoch_begins(&mut self, engine: &Engine, learning_rate: f64);
    /// A training step is done.
    fn step(&mut self, step: usize, of: usize, loss: f64);
    /// An epoch is over. `dice` is by foreground class, `waited` the time spent waiting for batches, `best` says that
    /// the metric's moving average is the best so far.
    ///
    /// # Errors
    /// Ends the run.
    fn epoch_ends(
        &mut self,
        engine: &Engine,
        report: &EpochReport,
        dice: &[f64],
        waited: Duration,
        best: bool,
    ) -> Result<()>;
    /// Whether the user asked to stop after this epoch.
    fn cancelled(&self) -> bool;
}

impl Engine {
    /// Trains from the current epoch to the last one.
    ///
    /// # Errors
    /// What hooks, loss, network and cases return, or a value that is not finite; always with the epoch.
    pub fn run(&mut self, run: Run, observer: &mut dyn Observer) -> Result<Stopped> {
        let (steps, checks) =
            (self.trainer.blueprint.num_batches_per_epoch, self.trainer.blueprint.num_val_batches_per_epoch);
        let validation_plan =
            BatchPlan { seed: run.validation_plan.seed ^ VALIDATION_SEED, ..run.validation_plan };
        let mut training = BatchPool::new(run.train_plan, run.train, (self.epoch, steps), run.threads);
        let mut validation = BatchPool::new(validation_plan, run.validation, (self.epoch, checks.max(1)), 1);
        while self.epoch < self.trainer.blueprint.max_num_epochs {
            let epoch = self.epoch;
            let flow = self.epoch(&mut training, &mut validation, observer);
            if flow.map_err(|error| error.within(format!("epoch {epoch}")))? == Flow::Stop {
                break;
            }
            if observer.cancelled() {
                return Ok(Stopped::Cancelled);
            }
        }
        Ok(Stopped::Finished)
    }

    fn epoch(
        &mut self,
        training: &mut BatchPool,
        validation: &mut BatchPool,
        observer: &mut dyn Observer,
    ) -> Result<Flow> {
        let start = Instant::now();
        training.waited = Duration::ZERO;
        let learning_rate = self.trainer.learning_rate(self.epoch)?;
        self.network.set_training(true)?;
        self.loss.epoch_begins(self.epoch)?;
        observer.epoch_begins(self, learning_rate);
        let steps = self.trainer.blueprint.num_batches_per_epoch;
        let mut train_loss = 0.0;
        for step in 0..steps {
            let batch = training.next()?;
            let loss = self
                .train_step(&batch, learning_rate)
                .map_err(|error| error.within(format!("step {step}, cases {}", batch.cases.join(" "))))?;
            train_loss += loss / steps as f64;
            observer.step(step, steps, loss);
        }
        self.network.set_training(false)?;
        let (validation_loss, evaluation) = self.validate(validation)?;
        let metric = evaluation.metric();
        let blueprint = &self.trainer.blueprint;
        let alphas = (blueprint.train_loss_ma_alpha, blueprint.val_eval_criterion_alpha);
        let best = self.history.push(train_loss, validation_loss, metric, alphas.0, alphas.1);
        let seconds = start.elapsed().as_secs_f64();
        let report =
            EpochReport { epoch: self.epoch, train_loss, validation_loss, metric, learning_rate, seconds };
        self.epoch += 1;
        observer.epoch_ends(self, &report, &evaluation.dice(), training.waited, best)?;
        self.trainer.on_epoch_end(&report)
    }

    /// One optimiser step; returns the loss.
    ///
    /// # Errors
    /// A loss or gradient that is not finite; what network and loss return.
    pub fn train_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<f64> {
        zero_gradients(&self.store);
        let loss = self.loss_of(&self.forward(batch, true)?, batch)?;
        let value = f64::try_from(loss.detach().f_to_kind(Kind::Double)?)?;
        if !value.is_finite() {
            return Err(Error::NotFinite(format!("training loss {value}")));
        }
        loss.f_backward()?;
        clip_gradients(&self.store, self.trainer.blueprint.gradient_clipping)?;
        self.optimizer.step(&self.store, learning_rate)?;
        Ok(value)
    }

    fn forward(&self, batch: &Batch, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let data = batch.data.f_to_device(self.store.device())?.f_to_kind(self.kind)?;
        self.network.forward(&data, deep_supervision && self.trainer.blueprint.deep_supervision)
    }

    fn loss_of(&self, outputs: &[Tensor], batch: &Batch) -> Result<Tensor> {
        let device = self.store.device();
        let targets =
            batch.targets.iter().map(|target| Ok(target.f_to_device(device)?)).collect::<Result<Vec<_>>>()?;
        deep_supervision_loss(&*self.loss, outputs, &targets, &deep_supervision_weights(outputs.len()))
    }

    fn validate(&self, validation: &mut BatchPool) -> Result<(f64, OnlineEvaluation)> {
        let checks = self.trainer.blueprint.num_val_batches_per_epoch;
        let mut evaluation = OnlineEvaluation::new(self.num_classes);
        let mut sum = 0.0;
        for _ in 0..checks {
            let batch = validation.next()?;
            let outputs = no_grad(|| self.forward(&batch, true))?;
            let loss = no_grad(|| self.loss_of(&outputs, &batch))?;
            sum += f64::try_from(loss.f_to_kind(Kind::Double)?)?;
            evaluation.add(&outputs[0], &batch.targets[0].f_to_device(self.store.device())?)?;
        }
        Ok((sum / checks as f64, evaluation))
    }
}
