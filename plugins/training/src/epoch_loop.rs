//! The loop over epochs and the steps inside one, from top to bottom (v1 `NetworkTrainer.run_training`,
//! `nnUNetTrainerV2.run_iteration`).

use std::time::Instant;

use nnunet_plugin_api::tch::{self, Kind, Tensor, no_grad};
use nnunet_plugin_api::{EpochReport, Error, Flow, Result};

use crate::batch::Batch;
use crate::epoch_retry::EpochRetry;
use crate::evaluation::OnlineEvaluation;
use crate::gradients::{clip_gradients, forget_gradients, unscale_gradients};
use crate::non_finite;
use crate::observer::{EpochOutcome, Observer};
use crate::pool::{BatchPool, Pools};
use crate::snapshot::Snapshot;
use crate::state::{Engine, Run, Stopped};
use crate::step_times::{StepTimes, timed};

/// Epoch index at which a training that has learned nothing starts over.
const FALLBACK_EPOCH: usize = 100;
/// Its momentum from then on.
const FALLBACK_MOMENTUM: f64 = 0.95;

/// Why an epoch was left before its end.
enum EpochError {
    Cancelled,
    NotFinite { step: usize, error: Error },
    Failed(Error),
}

impl From<Error> for EpochError {
    fn from(error: Error) -> Self {
        if error.is_cancelled() { EpochError::Cancelled } else { EpochError::Failed(error) }
    }
}

impl Engine {
    /// Trains from the current epoch to the last one. An epoch is done whole or not at all: when the user stops in the
    /// middle, or a value is not finite, the state is that before the epoch. After the latter the epoch is taken up
    /// again without the step at fault and with half the learning rate, a few times.
    ///
    /// # Errors
    /// Returns an error of a hook, the loss, the network or a case, or one about values that stay non-finite; each names
    /// the epoch.
    pub fn run(&mut self, run: &Run, observer: &mut dyn Observer) -> Result<Stopped> {
        let mut pools = Pools::new(run, self);
        let mut retry = EpochRetry::default();
        while self.epoch < self.trainer.blueprint.max_num_epochs {
            if observer.cancelled() {
                return Ok(Stopped::Cancelled);
            }
            let good = Snapshot::take(self)?;
            let in_epoch = format!("epoch {}", self.epoch);
            match self.epoch(&mut pools, &retry, observer) {
                Ok(Flow::Continue) => retry = EpochRetry::default(),
                Ok(Flow::Stop) => break,
                Err(EpochError::Failed(error)) => return Err(error.within(in_epoch)),
                Err(EpochError::Cancelled) => {
                    good.restore(self)?;
                    return Ok(Stopped::Cancelled);
                }
                Err(EpochError::NotFinite { step, error }) => {
                    good.restore(self)?;
                    let steps = self.trainer.blueprint.num_batches_per_epoch;
                    let error = retry.skip(step, steps, error.within(in_epoch))?;
                    observer.rolled_back(self, &error);
                    pools = Pools::new(run, self);
                }
            }
        }
        Ok(Stopped::Finished)
    }

    /// One epoch: training steps, validation steps, history.
    fn epoch(
        &mut self,
        pools: &mut Pools,
        retry: &EpochRetry,
        observer: &mut dyn Observer,
    ) -> Result<Flow, EpochError> {
        let start = Instant::now();
        // Random numbers of layers follow from seed and epoch too, so that an epoch can be taken up at any time.
        tch::manual_seed((self.trainer.blueprint.seed ^ self.epoch as u64) as i64);
        let learning_rate = self.learning_rate()? * retry.factor();
        if let Some(schedule) = &self.trainer.blueprint.momentum_schedule {
            self.optimizer.set_momentum(schedule.at(self.epoch));
        }
        self.network.set_training(true)?;
        self.loss.epoch_begins(self.epoch)?;
        observer.epoch_begins(self, learning_rate);
        let (train_loss, times) = self.training_steps(pools, retry, learning_rate, observer)?;
        self.network.set_training(false)?;
        let (validation_loss, evaluation) = self.validation_steps(&mut pools.validation)?;
        let metric = evaluation.metric();
        let blueprint = &self.trainer.blueprint;
        let alphas = (blueprint.train_loss_ma_alpha, blueprint.val_eval_criterion_alpha);
        let best = self.history.push(train_loss, validation_loss, metric, alphas.0, alphas.1);
        self.history.follow_plateau(&self.trainer.blueprint);
        self.restart_if_nothing_learned(metric)?;
        let seconds = start.elapsed().as_secs_f64();
        let report =
            EpochReport { epoch: self.epoch, train_loss, validation_loss, metric, learning_rate, seconds };
        self.epoch += 1;
        let next_learning_rate = self.learning_rate()?;
        let outcome = EpochOutcome { report, dice: evaluation.dice(), times, best, next_learning_rate };
        let patience = self.trainer.blueprint.patience;
        let over = patience.is_some_and(|patience| self.history.impatient(&patience, next_learning_rate));
        observer.epoch_ends(self, &outcome)?;
        let flow = self.trainer.on_epoch_end(&report)?;
        Ok(if over { Flow::Stop } else { flow })
    }

    /// The training steps of an epoch; returns their mean loss.
    fn training_steps(
        &mut self,
        pools: &mut Pools,
        retry: &EpochRetry,
        learning_rate: f64,
        observer: &mut dyn Observer,
    ) -> Result<(f64, StepTimes), EpochError> {
        let steps = self.trainer.blueprint.num_batches_per_epoch;
        let (mut losses, mut times) = (Vec::new(), StepTimes::default());
        for step in 0..steps {
            if observer.cancelled() {
                return Err(EpochError::Cancelled);
            }
            let batch = timed(&mut times.data, || pools.training.next())?;
            if retry.skips(step) {
                continue;
            }
            let batch = timed(&mut times.copies, || batch.on(self.store.device()))?;
            let loss = timed(&mut times.compute, || self.train_step(&batch, learning_rate));
            let loss = loss.map_err(|error| {
                let (finite, at) = (!error.is_not_finite(), format!("step {step}"));
                if finite {
                    return error.within(format!("{at}, cases {}", batch.cases.join(" "))).into();
                }
                EpochError::NotFinite { step, error: non_finite::locate(self, &batch, error).within(at) }
            })?;
            losses.push(loss);
            observer.step(step, steps, loss);
        }
        Ok((losses.iter().sum::<f64>() / losses.len() as f64, times))
    }

    /// One optimizer step; returns the loss. In half precision a step whose gradients overflow changes nothing but the
    /// loss scale.
    ///
    /// # Errors
    /// Returns an error if the loss or a gradient is not finite, or if network or loss fail.
    pub fn train_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<f64> {
        forget_gradients(&self.store)?;
        let loss = self.loss_of(&self.forward(batch, true)?, batch)?;
        let value = f64::try_from(loss.detach().f_to_kind(Kind::Double)?)?;
        if !value.is_finite() {
            return Err(Error::NotFinite(format!("training loss {value}")));
        }
        self.backward(&loss)?;
        let clipped = clip_gradients(&self.store, self.trainer.blueprint.gradient_clipping);
        let overflowed = clipped.as_ref().is_err_and(Error::is_not_finite);
        if let Some(scaler) = &mut self.scaler {
            scaler.update(overflowed);
            if overflowed {
                return Ok(value);
            }
        }
        clipped?;
        self.optimizer.step(&self.store, learning_rate)?;
        Ok(value)
    }

    fn backward(&self, loss: &Tensor) -> Result<()> {
        let Some(scaler) = &self.scaler else { return Ok(loss.f_backward()?) };
        (loss * scaler.scale).f_backward()?;
        unscale_gradients(&self.store, scaler.scale)
    }

    /// The validation steps of an epoch: mean loss and the online evaluation.
    fn validation_steps(&self, validation: &mut BatchPool) -> Result<(f64, OnlineEvaluation)> {
        let checks = self.trainer.blueprint.num_val_batches_per_epoch;
        let mut evaluation =
            OnlineEvaluation::new(self.num_classes, self.trainer.blueprint.regions.is_some());
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

    /// v1's second chance: nothing at all was learned in 100 epochs, so the convolutions start over with less momentum.
    fn restart_if_nothing_learned(&mut self, metric: f64) -> Result<()> {
        if self.trainer.blueprint.momentum_fallback && self.epoch == FALLBACK_EPOCH && metric == 0.0 {
            self.optimizer.set_momentum(FALLBACK_MOMENTUM);
            self.store.start_convolutions_over()?;
        }
        Ok(())
    }
}
