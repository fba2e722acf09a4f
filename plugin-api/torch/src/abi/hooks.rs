//! The hooks of trainers across the boundary, by name: in the plugin a message becomes a call of the author's method, in the
//! host a call becomes a message.

use abi_stable::std_types::{ROption, RStr, RVec};
use nnunet_plugin_core::EpochReport;
use nnunet_plugin_core::abi::v1::adapter::{Lent, Message, TrainingAbi};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::message::{Given, Taken, message, tensors_of};
use super::training::{Asking, OutputsAndBatch};
use crate::{Batch, Config, Error, Metrics, Result, Tally, Trainer, TrainerState, Training};

/// Names of the hooks.
pub(super) mod name {
    pub(in crate::abi) const LEARNING_RATE_AT: &str = "learning_rate_at";
    pub(in crate::abi) const TRAIN_START: &str = "on_train_start";
    pub(in crate::abi) const TRAIN_END: &str = "on_train_end";
    pub(in crate::abi) const EPOCH_START: &str = "on_epoch_start";
    pub(in crate::abi) const BATCH: &str = "on_batch";
    pub(in crate::abi) const TRAIN_STEP: &str = "train_step";
    pub(in crate::abi) const VALIDATION_STEP: &str = "validation_step";
    pub(in crate::abi) const METRICS: &str = "metrics";
    pub(in crate::abi) const IS_BEST: &str = "is_best";
    pub(in crate::abi) const PREDICTS_WITH: &str = "predicts_with";
    pub(in crate::abi) const SAVE_STATE: &str = "save_state";
    pub(in crate::abi) const LOAD_STATE: &str = "load_state";
}

/// Names of tensors, and other values of a state.
#[derive(Serialize, Deserialize)]
struct StateText {
    names: Vec<String>,
    values: Config,
}

/// In the plugin: calls the author's method of this name. A hook that this version does not know is left to the parent.
pub(super) fn called(
    trainer: &mut dyn Trainer,
    hook: RStr<'_>,
    training: TrainingAbi,
    given: &Lent<'_>,
) -> Result<ROption<Message>> {
    let training = &mut Asking(training);
    let mut given = Taken::lent(given);
    let done = |(): ()| ROption::RNone;
    Ok(match hook.as_str() {
        name::LEARNING_RATE_AT => {
            let rate = given.numbers.first().copied();
            let rate = rate.ok_or_else(|| Error::message("a step has a learning rate"))?;
            rate_message(trainer.learning_rate_at(&given.value()?, rate)?)
        }
        name::TRAIN_START => done(trainer.on_train_start(training)?),
        name::TRAIN_END => done(trainer.on_train_end(training)?),
        name::EPOCH_START => done(trainer.on_epoch_start(training)?),
        name::BATCH => {
            let mut batch = given.batch(given.value()?)?;
            trainer.on_batch(training, &mut batch)?;
            let tensors = std::iter::once(batch.data).chain(batch.targets).collect();
            ROption::RSome(message(tensors, &batch.cases)?)
        }
        name::TRAIN_STEP => {
            let batch = given.batch(given.value()?)?;
            let loss = trainer.train_step(training, &batch)?;
            loss.map(|loss| message(vec![loss], &())).transpose()?.into()
        }
        name::VALIDATION_STEP => {
            let OutputsAndBatch { outputs, cases } = given.value()?;
            let outputs = given.some(outputs)?;
            let tallies = trainer.validation_step(training, &outputs, &given.batch(cases)?)?;
            tallies_message(&tallies)?
        }
        name::METRICS => {
            let (report, mut metrics) = measured(&given)?;
            trainer.metrics(&report, &mut metrics)?;
            ROption::RSome(metrics_message(&metrics)?)
        }
        name::IS_BEST => {
            let (report, metrics) = measured(&given)?;
            let best = trainer.is_best(&report, &metrics)?;
            best.map(|best| message(Vec::new(), &best)).transpose()?.into()
        }
        name::PREDICTS_WITH => {
            trainer.predicts_with()?.map(|network| message(Vec::new(), &network)).transpose()?.into()
        }
        name::SAVE_STATE => state_message(trainer.save_state()?)?,
        name::LOAD_STATE => done(trainer.load_state(state(given)?)?),
        _ => ROption::RNone,
    })
}

fn rate_message(rate: Option<f64>) -> ROption<Message> {
    rate.map(|rate| Message { numbers: vec![rate].into(), ..Message::default() }).into()
}

fn tallies_message(tallies: &[Tally]) -> Result<ROption<Message>> {
    if tallies.is_empty() {
        return Ok(ROption::RNone);
    }
    let names: Vec<&str> = tallies.iter().map(|tally| tally.name.as_str()).collect();
    let numbers: RVec<f64> = tallies.iter().flat_map(|tally| [tally.sum, tally.count]).collect();
    Ok(ROption::RSome(Message { numbers, ..message(Vec::new(), &names)? }))
}

/// In the host: the parts of metrics in an answer.
pub(super) fn tallies(answer: &Taken) -> Result<Vec<Tally>> {
    let names: Vec<String> = answer.value()?;
    if answer.numbers.len() != 2 * names.len() {
        return Err(Error::shape("tallies", 2 * names.len(), answer.numbers.len()));
    }
    Ok(names
        .into_iter()
        .zip(answer.numbers.chunks(2))
        .map(|(name, n)| Tally::new(name, n[0], n[1]))
        .collect())
}

/// A report's numbers, then the metrics'.
pub(super) fn measures(report: &EpochReport, metrics: &Metrics) -> Result<Given> {
    let EpochReport { epoch, train_loss, validation_loss, metric, learning_rate, seconds } = *report;
    let numbers = [epoch as f64, train_loss, validation_loss, metric, learning_rate, seconds];
    let mut given = Given::new(&metrics.keys().collect::<Vec<_>>())?;
    given.add_numbers(numbers.into_iter().chain(metrics.values().copied()));
    Ok(given)
}

fn measured(given: &Taken) -> Result<(EpochReport, Metrics)> {
    let names: Vec<String> = given.value()?;
    let [epoch, train_loss, validation_loss, metric, learning_rate, seconds, values @ ..] =
        &given.numbers[..]
    else {
        return Err(Error::message("an epoch has six numbers"));
    };
    let report = EpochReport {
        epoch: *epoch as usize,
        train_loss: *train_loss,
        validation_loss: *validation_loss,
        metric: *metric,
        learning_rate: *learning_rate,
        seconds: *seconds,
    };
    Ok((report, names.into_iter().zip(values.iter().copied()).collect()))
}

fn metrics_message(metrics: &Metrics) -> Result<Message> {
    let numbers: RVec<f64> = metrics.values().copied().collect();
    Ok(Message { numbers, ..message(Vec::new(), &metrics.keys().collect::<Vec<_>>())? })
}

/// In the host: the metrics in an answer.
pub(super) fn metrics(answer: &Taken) -> Result<Metrics> {
    Ok(answer.value::<Vec<String>>()?.into_iter().zip(answer.numbers.iter().copied()).collect())
}

fn state_message(state: TrainerState) -> Result<ROption<Message>> {
    if state.is_empty() {
        return Ok(ROption::RNone);
    }
    let (names, tensors) = state.tensors.into_iter().unzip();
    Ok(ROption::RSome(message(tensors, &StateText { names, values: state.values })?))
}

/// A state's text; its tensors are lent beside it.
pub(super) fn state_given(state: &TrainerState) -> Result<Given> {
    let names = state.tensors.keys().cloned().collect();
    Given::new(&StateText { names, values: state.values.clone() })
}

/// The state in a message.
pub(super) fn state(mut taken: Taken) -> Result<TrainerState> {
    let StateText { names, values } = taken.value()?;
    let tensors = names.into_iter().map(|name| Ok((name, taken.tensor()?))).collect::<Result<_>>()?;
    Ok(TrainerState { tensors, values })
}

/// A batch's text; its tensors are lent beside it.
pub(super) fn batch_given(batch: &Batch) -> Result<Given> {
    Given::new(&batch.cases)
}

/// Outputs and batch.
pub(super) fn validation_given(outputs: &[Tensor], batch: &Batch) -> Result<Given> {
    Given::new(&OutputsAndBatch { outputs: outputs.len(), cases: batch.cases.clone() })
}

/// Outputs, images, targets.
pub(super) fn validation_tensors<'a>(
    outputs: &'a [Tensor],
    batch: &'a Batch,
) -> impl Iterator<Item = &'a Tensor> {
    outputs.iter().chain(tensors_of(batch))
}

/// A training that is not there is none.
pub(super) fn with_training<R>(
    training: Option<&mut dyn Training>,
    body: impl FnOnce(TrainingAbi) -> R,
) -> R {
    match training {
        Some(training) => super::training::lend(training, body),
        None => body(super::training::nothing()),
    }
}
