//! The loop over epochs and the steps inside one, from top to bottom (v1 `NetworkTrainer.run_training`,
//! `nnUNetTrainerV2.run_iteration`).

use std::ops::Range;
use std::time::{Instant, SystemTime};

use nnunet_plugin_api::{Batch, EpochReport, Error, Flow, Metrics, OnlineDice, Result, tch};

use crate::batch_on_device::{BatchUpload, OnDevice};
use crate::cases::Cases;
use crate::epoch_retry::EpochRetry;
use crate::history::EpochRecord;
use crate::hosted::Place;
use crate::non_finite;
use crate::observer::{EpochOutcome, Observer};
use crate::pool::Pools;
use crate::snapshot::Snapshot;
use crate::started_step::StartedStep;
use crate::state::{Engine, Run, Stopped};
use crate::step_times::{StepTimes, timed};
use crate::stepper::Stepper;
use crate::validation_steps::Validated;
use crate::with_ranks;

/// Epoch index at which a training that has learned nothing starts over.
const FALLBACK_EPOCH: usize = 100;
/// Its momentum from then on.
const FALLBACK_MOMENTUM: f64 = 0.95;

/// The number of a step, its batch, and what is read of it later.
type StepUnderWay = (usize, Batch, StartedStep);

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
    /// Returns an error of a hook, the loss, the network or a case, or one about values that stay non-finite; each
    /// names the epoch.
    pub fn run(&mut self, run: &Run, observer: &mut dyn Observer) -> Result<Stopped> {
        self.start_training(run)?;
        let stopped = self.epochs(run, observer)?;
        if stopped == Stopped::Finished {
            self.with_trainers(Place::default(), |trainers, training| trainers.on_train_end(training))?;
        }
        Ok(stopped)
    }

    /// Tells the trainers that a run begins.
    pub(crate) fn start_training(&mut self, run: &Run) -> Result<()> {
        self.cases = Cases::of([&run.train, &run.validation]);
        let place = Place { learning_rate: self.learning_rate()?, ..Place::default() };
        self.with_trainers(place, |trainers, training| trainers.on_train_start(training))?;
        self.networks.predicting = self.trainer.predicts_with()?;
        self.networks.predicting()?;
        with_ranks::begin(&self.store, run.train_plan.batch_size)
    }

    fn epochs(&mut self, run: &Run, observer: &mut dyn Observer) -> Result<Stopped> {
        let mut pools = Pools::new(run, self)?;
        let mut retry = EpochRetry::default();
        while self.epoch < self.trainer.blueprint.max_num_epochs {
            if with_ranks::any(observer.cancelled())? {
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
                    pools = Pools::new(run, self)?;
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
        let (start, started) = (Instant::now(), seconds_since_1970());
        // Random numbers of layers follow from seed and epoch too, so that an epoch can be taken up at any time.
        let seed = self.trainer.blueprint.seed ^ self.epoch as u64 ^ with_ranks::seed();
        tch::manual_seed(seed as i64);
        let learning_rate = self.learning_rate()? * retry.factor();
        if let Some(schedule) = &self.trainer.blueprint.momentum_schedule {
            self.optimizer.set_momentum(schedule.at(self.epoch));
        }
        self.network.set_training(true)?;
        self.loss.epoch_begins(self.epoch)?;
        observer.epoch_begins(self, learning_rate);
        let place = Place { learning_rate, ..Place::default() };
        self.with_trainers(place, |trainers, training| trainers.on_epoch_start(training))?;
        let (train_loss, times) = self.training_steps(pools, retry, observer)?;
        with_ranks::take_parameters_from_first(&self.store)?;
        self.tell_sampler()?;
        pools.training.allow(self.epoch + 1);
        self.network.set_training(false)?;
        let Validated { loss: validation_loss, dice, mut metrics } =
            self.validation_steps(pools, learning_rate)?;
        let (classes, dice): (Vec<usize>, Vec<f64>) = dice.into_iter().unzip();
        let metric = match self.online_dice() {
            // The smallest validation loss is the best.
            OnlineDice::None => -validation_loss,
            _ => dice.iter().sum::<f64>() / dice.len() as f64,
        };
        let blueprint = &self.trainer.blueprint;
        let alphas = (blueprint.train_loss_ma_alpha, blueprint.val_eval_criterion_alpha);
        let best = self.history.push(train_loss, validation_loss, metric, alphas.0, alphas.1);
        let ended = seconds_since_1970();
        let all = EpochRecord::dice_of_all(&classes, &dice, self.dice_classes());
        self.history.epochs.push(EpochRecord { learning_rate, started, ended, dice: all });
        self.restart_if_nothing_learned(metric)?;
        let seconds = start.elapsed().as_secs_f64();
        let report =
            EpochReport { epoch: self.epoch, train_loss, validation_loss, metric, learning_rate, seconds };
        let average = self.history.train_loss_ma.unwrap_or(train_loss);
        self.schedules.epoch_ends(&self.trainer.blueprint, report, average)?;
        self.trainer.metrics(&report, &mut metrics)?;
        let best = match self.trainer.is_best(&report, &metrics)? {
            Some(best) => best,
            None => self.is_best_by_metric(&metrics)?.unwrap_or(best),
        };
        self.epoch += 1;
        let next_learning_rate = self.learning_rate()?;
        let outcome = EpochOutcome { report, dice, classes, times, metrics, best, next_learning_rate };
        let patience = self.trainer.blueprint.patience;
        let over = patience.is_some_and(|patience| self.history.impatient(&patience, next_learning_rate));
        observer.epoch_ends(self, &outcome)?;
        let flow = self.trainer.on_epoch_end(&report)?;
        Ok(if over { Flow::Stop } else { flow })
    }

    /// Whether this epoch is the best by the blueprint's metric; none: it names no metric.
    fn is_best_by_metric(&mut self, metrics: &Metrics) -> Result<Option<bool>> {
        let blueprint = &self.trainer.blueprint;
        let Some(name) = &blueprint.best_metric else { return Ok(None) };
        let Some(value) = metrics.get(name) else {
            let all: Vec<&String> = metrics.keys().collect();
            let why = format!("there is no metric `{name}`; measured are {all:?}, and `metrics` adds others");
            return Err(Error::parameter("best_metric", why));
        };
        let larger = self.metrics.larger_is_better(name);
        Ok(Some(self.history.criterion.push(*value, blueprint.val_eval_criterion_alpha, larger)))
    }

    /// The training steps of an epoch; returns their mean loss.
    fn training_steps(
        &mut self,
        pools: &mut Pools,
        retry: &EpochRetry,
        observer: &mut dyn Observer,
    ) -> Result<(f64, StepTimes), EpochError> {
        let steps = self.trainer.blueprint.num_batches_per_epoch;
        let (mut losses, mut times) = (Vec::new(), StepTimes::default());
        self.forget_sample_losses();
        let mut rates = self.rates(0)?.scaled(retry.factor());
        let mut stepper = Stepper::new(self, pools.uses_graphs)?;
        // On a GPU a batch is copied one ahead, and the values of a step are read when the next one has been started, so
        // that the device never waits.
        let mut left = 0..steps;
        let mut upcoming = self.next_batch(pools, retry, &mut left, &mut times)?;
        let mut under_way: Option<StepUnderWay> = None;
        while let Some((step, batch)) = upcoming {
            if with_ranks::any(observer.cancelled())? {
                return Err(EpochError::Cancelled);
            }
            if rates.may_change {
                rates = self.rates(step)?.scaled(retry.factor());
            }
            let mut batch = timed(&mut times.copies, || batch.finish())?;
            let place = Place { step, learning_rate: rates.main(), scaler: None };
            self.with_trainers(place, |trainers, training| trainers.on_batch(training, &mut batch))?;
            let refused = |error: &Error| {
                observer.graph_refused(error);
                pools.uses_graphs = false;
            };
            let started = timed(&mut times.compute, || stepper.start(self, &batch, step, &rates, refused));
            let started = started.map_err(|error| self.step_error(step, &batch, error))?;
            let mut ready = under_way.replace((step, batch, started));
            if !self.reads_late() {
                std::mem::swap(&mut ready, &mut under_way);
            }
            if let Some(ready) = ready {
                losses.push(timed(&mut times.compute, || self.end_step(ready, steps, observer))?);
            }
            upcoming = self.next_batch(pools, retry, &mut left, &mut times)?;
        }
        if let Some(last) = under_way {
            losses.push(timed(&mut times.compute, || self.end_step(last, steps, observer))?);
        }
        Ok((losses.iter().sum::<f64>() / losses.len() as f64, times))
    }

    /// The next of the steps that are left, and its batch on the way to the device.
    fn next_batch(
        &self,
        pools: &mut Pools,
        retry: &EpochRetry,
        left: &mut Range<usize>,
        times: &mut StepTimes,
    ) -> Result<Option<(usize, BatchUpload)>> {
        for step in left {
            let batch = timed(&mut times.data, || pools.training.next())?;
            if !retry.skips(step) {
                let upload = timed(&mut times.copies, || batch.upload(self.store.device()))?;
                return Ok(Some((step, upload)));
            }
        }
        Ok(None)
    }

    /// Reads the loss of a step.
    fn end_step(
        &mut self,
        (step, batch, started): StepUnderWay,
        steps: usize,
        observer: &mut dyn Observer,
    ) -> Result<f64, EpochError> {
        let loss = self.finish_step(started).map_err(|error| self.step_error(step, &batch, error))?;
        observer.step(step, steps, loss);
        Ok(loss)
    }

    /// Names the step of an error, and the cases or, for a value that is not finite, its place.
    fn step_error(&self, step: usize, batch: &Batch, error: Error) -> EpochError {
        let at = format!("step {step}");
        if error.is_not_finite() {
            return EpochError::NotFinite { step, error: non_finite::locate(self, batch, error).within(at) };
        }
        error.within(format!("{at}, cases {}", batch.cases.join(" "))).into()
    }

    /// v1's restart: if nothing was learned in 100 epochs, the convolutions are initialized again and momentum is
    /// reduced.
    fn restart_if_nothing_learned(&mut self, metric: f64) -> Result<()> {
        if self.trainer.blueprint.momentum_fallback && self.epoch == FALLBACK_EPOCH && metric == 0.0 {
            self.optimizer.set_momentum(FALLBACK_MOMENTUM);
            self.store.start_convolutions_over()?;
            with_ranks::take_parameters_from_first(&self.store)?;
        }
        Ok(())
    }
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
