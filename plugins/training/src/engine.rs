//! The loop over epochs (v1 `NetworkTrainer.run_training`, `nnUNetTrainerV2.run_iteration`).

use std::sync::Arc;
use std::time::Instant;

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{self, Kind};
use nnunet_plugin_api::{EpochReport, Error, Flow, Loss, Network, Result};
use nnunet_trainers::Resolved;

use crate::attempt::Attempt;
use crate::batch::{BatchPlan, CaseSource};
use crate::faults;
use crate::history::History;
use crate::observer::{EpochOutcome, Observer};
use crate::optimizer::Optimize;
use crate::pool::Pools;
use crate::scaler::LossScaler;
use crate::snapshot::Snapshot;
use crate::waits::{Waits, timed};

/// Epoch index at which a training that has learnt nothing starts over.
const FALLBACK_EPOCH: usize = 100;
/// Its momentum from then on.
const FALLBACK_MOMENTUM: f64 = 0.95;

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
    /// Scales the loss when that format is half precision.
    pub scaler: Option<LossScaler>,
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

/// Why an epoch was left before its end.
enum Broken {
    Cancelled,
    NotFinite { step: usize, error: Error },
    Failed(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        if error.is_cancelled() { Broken::Cancelled } else { Broken::Failed(error) }
    }
}

impl Engine {
    /// Trains from the current epoch to the last one. An epoch is done whole or not at all: when the user stops in the
    /// middle, or a value is not finite, the state is that before the epoch. After the latter the epoch is taken up
    /// again without the step at fault and with half the learning rate, a few times.
    ///
    /// # Errors
    /// What hooks, loss, network and cases return, or values that stay not finite; always with the epoch.
    pub fn run(&mut self, run: &Run, observer: &mut dyn Observer) -> Result<Stopped> {
        let mut pools = Pools::new(run, self);
        let mut attempt = Attempt::default();
        while self.epoch < self.trainer.blueprint.max_num_epochs {
            if observer.cancelled() {
                return Ok(Stopped::Cancelled);
            }
            let good = Snapshot::take(self)?;
            let in_epoch = format!("epoch {}", self.epoch);
            match self.epoch(&mut pools, &attempt, observer) {
                Ok(Flow::Continue) => attempt = Attempt::default(),
                Ok(Flow::Stop) => break,
                Err(Broken::Failed(error)) => return Err(error.within(in_epoch)),
                Err(Broken::Cancelled) => {
                    good.restore(self)?;
                    return Ok(Stopped::Cancelled);
                }
                Err(Broken::NotFinite { step, error }) => {
                    good.restore(self)?;
                    let steps = self.trainer.blueprint.num_batches_per_epoch;
                    let error = attempt.leave_out(step, steps, error.within(in_epoch))?;
                    observer.rolled_back(self, &error);
                    pools = Pools::new(run, self);
                }
            }
        }
        Ok(Stopped::Finished)
    }

    fn epoch(
        &mut self,
        pools: &mut Pools,
        attempt: &Attempt,
        observer: &mut dyn Observer,
    ) -> Result<Flow, Broken> {
        let start = Instant::now();
        // Random numbers of layers follow from seed and epoch too, so that an epoch can be taken up at any time.
        tch::manual_seed((self.trainer.blueprint.seed ^ self.epoch as u64) as i64);
        let learning_rate = self.learning_rate()? * attempt.factor();
        if let Some(schedule) = &self.trainer.blueprint.momentum_schedule {
            self.optimizer.set_momentum(schedule.at(self.epoch));
        }
        self.network.set_training(true)?;
        self.loss.epoch_begins(self.epoch)?;
        observer.epoch_begins(self, learning_rate);
        let (train_loss, waits) = self.train(pools, attempt, learning_rate, observer)?;
        self.network.set_training(false)?;
        let (validation_loss, evaluation) = self.validate(&mut pools.validation)?;
        let metric = evaluation.metric();
        let blueprint = &self.trainer.blueprint;
        let alphas = (blueprint.train_loss_ma_alpha, blueprint.val_eval_criterion_alpha);
        let best = self.history.push(train_loss, validation_loss, metric, alphas.0, alphas.1);
        self.history.follow_plateau(&self.trainer.blueprint);
        self.fall_back(metric)?;
        let seconds = start.elapsed().as_secs_f64();
        let report =
            EpochReport { epoch: self.epoch, train_loss, validation_loss, metric, learning_rate, seconds };
        self.epoch += 1;
        let next_learning_rate = self.learning_rate()?;
        let outcome = EpochOutcome { report, dice: evaluation.dice(), waits, best, next_learning_rate };
        let patience = self.trainer.blueprint.patience;
        let over = patience.is_some_and(|patience| self.history.impatient(&patience, next_learning_rate));
        observer.epoch_ends(self, &outcome)?;
        let flow = self.trainer.on_epoch_end(&report)?;
        Ok(if over { Flow::Stop } else { flow })
    }

    /// The learning rate of the next epoch.
    ///
    /// # Errors
    /// What a trainer's hook returns.
    pub fn learning_rate(&self) -> Result<f64> {
        let fallen = self.history.plateau.as_ref().map(|plateau| plateau.learning_rate);
        self.trainer.learning_rate(self.epoch, fallen)
    }

    /// The training steps of an epoch; returns their mean loss.
    fn train(
        &mut self,
        pools: &mut Pools,
        attempt: &Attempt,
        learning_rate: f64,
        observer: &mut dyn Observer,
    ) -> Result<(f64, Waits), Broken> {
        let steps = self.trainer.blueprint.num_batches_per_epoch;
        let (mut losses, mut waits) = (Vec::new(), Waits::default());
        for step in 0..steps {
            if observer.cancelled() {
                return Err(Broken::Cancelled);
            }
            let batch = timed(&mut waits.data, || pools.training.next())?;
            if attempt.leaves_out(step) {
                continue;
            }
            let batch = timed(&mut waits.copies, || batch.on(self.store.device()))?;
            let loss = timed(&mut waits.compute, || self.train_step(&batch, learning_rate));
            let loss = loss.map_err(|error| {
                let (finite, at) = (!error.is_not_finite(), format!("step {step}"));
                if finite {
                    return error.within(format!("{at}, cases {}", batch.cases.join(" "))).into();
                }
                Broken::NotFinite { step, error: faults::locate(self, &batch, error).within(at) }
            })?;
            losses.push(loss);
            observer.step(step, steps, loss);
        }
        Ok((losses.iter().sum::<f64>() / losses.len() as f64, waits))
    }

    /// v1's second chance: nothing at all was learnt in 100 epochs, so the convolutions start over with less momentum.
    fn fall_back(&mut self, metric: f64) -> Result<()> {
        if self.trainer.blueprint.momentum_fallback && self.epoch == FALLBACK_EPOCH && metric == 0.0 {
            self.optimizer.set_momentum(FALLBACK_MOMENTUM);
            self.store.start_convolutions_over()?;
        }
        Ok(())
    }
}
