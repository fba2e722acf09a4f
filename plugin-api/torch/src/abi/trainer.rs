//! Trainers across the boundary.

use std::cell::RefCell;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{ROption, RStr, RString};
use nnunet_plugin_core::EpochReport;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    EpochReportAbi, Guarded, Lent, LossObject, Message, Received, TrainerAbi, TrainerAbi_TO, TrainerObject,
    TrainingAbi, apply_change, decode, decode_settings, encode, encode_change,
};
use tch::Tensor;

use super::hooks::{self, name};
use super::message::{Given, Taken, tensors_of};
use super::{check, loss};
use crate::vocabulary::Blueprint;
use crate::{
    Batch, Error, Flow, Loss, LossContext, Metrics, Result, SchedulePoint, Tally, Trainer, TrainerContext,
    TrainerState, Training,
};

struct Exported(Guarded<Box<dyn Trainer>>);

impl TrainerAbi for Exported {
    fn extends(&self) -> AbiResult<RString> {
        self.0.call(|trainer| Ok(trainer.extends().into()))
    }

    fn configure(&self, blueprint: RStr<'_>, context: RStr<'_>) -> AbiResult<RString> {
        self.0.call(|trainer| {
            let before: Blueprint = decode_settings(blueprint.as_str())?;
            let mut after = before.clone();
            trainer.configure(&mut after, &decode(context.as_str())?)?;
            encode_change(&before, &after)
        })
    }

    fn loss(&self, context: RStr<'_>) -> AbiResult<ROption<LossObject>> {
        self.0.call(|trainer| Ok(trainer.loss(&decode(context.as_str())?)?.map(loss::export).into()))
    }

    fn learning_rate(&self, epoch: u64, blueprint: RStr<'_>) -> AbiResult<ROption<f64>> {
        self.0.call(|trainer| {
            Ok(trainer.learning_rate(epoch as usize, &decode_settings(blueprint.as_str())?)?.into())
        })
    }

    fn on_epoch_end(&mut self, report: EpochReportAbi) -> AbiResult<bool> {
        self.0.call_mut(|trainer| Ok(trainer.on_epoch_end(&report.into())? == Flow::Stop))
    }

    fn hook(
        &mut self,
        name: RStr<'_>,
        training: TrainingAbi,
        given: Lent<'_>,
    ) -> AbiResult<ROption<Message>> {
        self.0.call_mut(|trainer| hooks::called(&mut **trainer, name, training, &given))
    }
}

pub(crate) fn export(trainer: Box<dyn Trainer>) -> TrainerObject {
    TrainerAbi_TO::from_value(Exported(Guarded::new(trainer)), TD_Opaque)
}

/// Some hooks only read the trainer, but all cross as one method that may change it.
struct Imported {
    object: RefCell<Received<TrainerObject>>,
    label: String,
    extends: String,
}

impl Imported {
    /// Calls a hook; none: the trainer leaves it to its parent.
    fn hook<'a>(
        &self,
        name: &'static str,
        training: Option<&mut dyn Training>,
        mut given: Given,
        tensors: impl IntoIterator<Item = &'a Tensor>,
    ) -> Result<Option<Taken>> {
        let answer = hooks::with_training(training, |training| {
            given.lend(tensors, |lent| {
                let object = &mut *self.object.borrow_mut();
                object.call_mut(name, |trainer| trainer.hook(name.into(), training, lent))
            })
        })?;
        Ok(answer.into_option().map(Taken::owned))
    }

    /// An error of what a hook returned.
    fn named(&self, hook: &'static str, error: Error) -> Error {
        error.within(hook).within(&self.label)
    }
}

impl Trainer for Imported {
    fn extends(&self) -> String {
        self.extends.clone()
    }

    fn configure(&self, blueprint: &mut Blueprint, context: &TrainerContext) -> Result<()> {
        let (before, context) = (encode(blueprint)?, encode(context)?);
        let change =
            self.object.borrow().call("configure", |t| t.configure(before.as_rstr(), context.as_rstr()))?;
        apply_change(blueprint, &change).map_err(|error| self.named("configure", error))
    }

    fn loss(&self, context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        let context = encode(context)?;
        let made = self.object.borrow().call("loss", |trainer| trainer.loss(context.as_rstr()))?;
        made.into_option().map(|object| loss::import(object, self.label.clone())).transpose()
    }

    fn learning_rate(&self, epoch: usize, blueprint: &Blueprint) -> Result<Option<f64>> {
        const HOOK: &str = "learning_rate";
        let blueprint = encode(blueprint)?;
        let rate = self.object.borrow().call(HOOK, |t| t.learning_rate(epoch as u64, blueprint.as_rstr()))?;
        match rate.into_option() {
            Some(rate) if !rate.is_finite() || rate < 0.0 => {
                let error = Error::NotFinite(format!("learning rate {rate} of epoch {epoch}"));
                Err(self.named(HOOK, error))
            }
            rate => Ok(rate),
        }
    }

    fn learning_rate_at(&self, at: &SchedulePoint, rate: f64) -> Result<Option<f64>> {
        let mut given = Given::new(at)?;
        given.add_numbers([rate]);
        let Some(answer) = self.hook(name::LEARNING_RATE_AT, None, given, [])? else { return Ok(None) };
        match answer.numbers.first() {
            Some(rate) if rate.is_finite() && *rate >= 0.0 => Ok(Some(*rate)),
            rate => {
                let what = format!("learning rate {rate:?} of epoch {}, step {}", at.epoch, at.step);
                Err(self.named(name::LEARNING_RATE_AT, Error::message(what)))
            }
        }
    }

    fn on_epoch_end(&mut self, report: &EpochReport) -> Result<Flow> {
        let stop = self.object.get_mut().call_mut("on_epoch_end", |t| t.on_epoch_end((*report).into()))?;
        Ok(if stop { Flow::Stop } else { Flow::Continue })
    }

    fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
        self.hook(name::TRAIN_START, Some(training), Given::default(), []).map(drop)
    }

    fn on_train_end(&mut self, training: &mut dyn Training) -> Result<()> {
        self.hook(name::TRAIN_END, Some(training), Given::default(), []).map(drop)
    }

    fn on_epoch_start(&mut self, training: &mut dyn Training) -> Result<()> {
        self.hook(name::EPOCH_START, Some(training), Given::default(), []).map(drop)
    }

    fn on_batch(&mut self, training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        let given = hooks::batch_given(batch)?;
        let answer = self.hook(name::BATCH, Some(training), given, tensors_of(batch))?;
        let Some(mut answer) = answer else { return Ok(()) };
        let changed = answer.value().and_then(|cases| answer.batch(cases));
        let changed = changed.and_then(|changed| check::batch(batch, changed));
        *batch = changed.map_err(|error| self.named(name::BATCH, error))?;
        Ok(())
    }

    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        let given = hooks::batch_given(batch)?;
        let answer = self.hook(name::TRAIN_STEP, Some(training), given, tensors_of(batch))?;
        let loss = answer.map(|mut answer| check::step_loss(answer.tensor()?, batch));
        loss.transpose().map_err(|error| self.named(name::TRAIN_STEP, error))
    }

    fn validation_step(
        &mut self,
        training: &mut dyn Training,
        outputs: &[Tensor],
        batch: &Batch,
    ) -> Result<Vec<Tally>> {
        let given = hooks::validation_given(outputs, batch)?;
        let tensors = hooks::validation_tensors(outputs, batch);
        let answer = self.hook(name::VALIDATION_STEP, Some(training), given, tensors)?;
        let Some(answer) = answer else { return Ok(Vec::new()) };
        let tallies = hooks::tallies(&answer).and_then(check::tallies);
        tallies.map_err(|error| self.named(name::VALIDATION_STEP, error))
    }

    fn metrics(&mut self, report: &EpochReport, metrics: &mut Metrics) -> Result<()> {
        let answer = self.hook(name::METRICS, None, hooks::measures(report, metrics)?, [])?;
        if let Some(answer) = answer {
            *metrics = hooks::metrics(&answer).map_err(|error| self.named(name::METRICS, error))?;
        }
        Ok(())
    }

    fn is_best(&mut self, report: &EpochReport, metrics: &Metrics) -> Result<Option<bool>> {
        let answer = self.hook(name::IS_BEST, None, hooks::measures(report, metrics)?, [])?;
        answer.map(|answer| answer.value()).transpose().map_err(|error| self.named(name::IS_BEST, error))
    }

    fn predicts_with(&self) -> Result<Option<String>> {
        let answer = self.hook(name::PREDICTS_WITH, None, Given::default(), [])?;
        answer
            .map(|answer| answer.value())
            .transpose()
            .map_err(|error| self.named(name::PREDICTS_WITH, error))
    }

    fn save_state(&self) -> Result<TrainerState> {
        let answer = self.hook(name::SAVE_STATE, None, Given::default(), [])?;
        let Some(answer) = answer else { return Ok(TrainerState::default()) };
        let state = hooks::state(answer).and_then(check::state);
        state.map_err(|error| self.named(name::SAVE_STATE, error))
    }

    fn load_state(&mut self, state: TrainerState) -> Result<()> {
        let given = hooks::state_given(&state)?;
        self.hook(name::LOAD_STATE, None, given, state.tensors.values()).map(drop)
    }
}

pub(crate) fn import(object: TrainerObject, label: String) -> Result<Box<dyn Trainer>> {
    let object = Received::new(object, label.clone());
    let extends = object.call("extends", |trainer| trainer.extends())?.into_string();
    Ok(Box::new(Imported { object: RefCell::new(object), label, extends }))
}
