//! Trainers across the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{ROption, RStr, RString};
use nnunet_plugin_core::EpochReport;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    EpochReportAbi, Guarded, LossObject, Received, TrainerAbi, TrainerAbi_TO, TrainerObject, apply_change,
    decode, decode_settings, encode, encode_change,
};

use super::loss;
use crate::vocabulary::Blueprint;
use crate::{Error, Flow, Loss, LossContext, Result, Trainer, TrainerContext};

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
}

pub(crate) fn export(trainer: Box<dyn Trainer>) -> TrainerObject {
    TrainerAbi_TO::from_value(Exported(Guarded::new(trainer)), TD_Opaque)
}

struct Imported {
    object: Received<TrainerObject>,
    extends: String,
}

impl Trainer for Imported {
    fn extends(&self) -> String {
        self.extends.clone()
    }

    fn configure(&self, blueprint: &mut Blueprint, context: &TrainerContext) -> Result<()> {
        let (before, context) = (encode(blueprint)?, encode(context)?);
        let change = self.object.call("configure", |t| t.configure(before.as_rstr(), context.as_rstr()))?;
        apply_change(blueprint, &change).map_err(|error| self.object.named("configure", error))
    }

    fn loss(&self, context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        let context = encode(context)?;
        let made = self.object.call("loss", |trainer| trainer.loss(context.as_rstr()))?;
        let label = self.object.label();
        made.into_option().map(|object| loss::import(object, label.to_owned())).transpose()
    }

    fn learning_rate(&self, epoch: usize, blueprint: &Blueprint) -> Result<Option<f64>> {
        const HOOK: &str = "learning_rate";
        let blueprint = encode(blueprint)?;
        let rate = self.object.call(HOOK, |t| t.learning_rate(epoch as u64, blueprint.as_rstr()))?;
        match rate.into_option() {
            Some(rate) if !rate.is_finite() || rate < 0.0 => {
                let error = Error::NotFinite(format!("learning rate {rate} of epoch {epoch}"));
                Err(self.object.named(HOOK, error))
            }
            rate => Ok(rate),
        }
    }

    fn on_epoch_end(&mut self, report: &EpochReport) -> Result<Flow> {
        let stop = self.object.call_mut("on_epoch_end", |t| t.on_epoch_end((*report).into()))?;
        Ok(if stop { Flow::Stop } else { Flow::Continue })
    }
}

pub(crate) fn import(object: TrainerObject, label: String) -> Result<Box<dyn Trainer>> {
    let object = Received::new(object, label);
    let extends = object.call("extends", |trainer| trainer.extends())?.into_string();
    Ok(Box::new(Imported { object, extends }))
}
