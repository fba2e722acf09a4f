//! Losses across the boundary.

use std::cell::Cell;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::ROption;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    Guarded, Lent, LossAbi, LossAbi_TO, LossObject, Received, TensorHandle, VarFactoryAbi,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::architecture::lend_vars;
use super::handles::{from_handle, on, to_handle};
use super::message::{Given, Taken};
use super::modes::gradient_mode;
use crate::{Config, Error, Loss, LossInput, Result, VarFactory};

struct Exported(Guarded<Box<dyn Loss>>);

impl LossAbi for Exported {
    fn forward(&self, logits: TensorHandle, target: TensorHandle) -> AbiResult<TensorHandle> {
        let (logits, target) = (from_handle(logits), from_handle(target));
        self.0.call(|loss| loss.forward(&logits, &target).map(to_handle))
    }

    fn epoch_begins(&mut self, epoch: u64) -> AbiResult<()> {
        self.0.call_mut(|loss| loss.epoch_begins(epoch as usize))
    }

    fn of_batch(&self, given: Lent<'_>) -> AbiResult<ROption<TensorHandle>> {
        self.0.call(|loss| {
            let mut taken = Taken::lent(&given);
            let about: About = taken.value()?;
            let (outputs, data) = (taken.some(about.outputs)?, taken.tensor()?);
            let input = LossInput {
                outputs: &outputs,
                targets: &taken.rest(),
                weights: &taken.numbers,
                data: &data,
                cases: &about.cases,
                properties: &about.properties,
                epoch: about.epoch,
            };
            Ok(loss.of_batch(&input)?.map(to_handle).into())
        })
    }

    fn parameters(&mut self, mut vars: VarFactoryAbi) -> AbiResult<()> {
        self.0.call_mut(|loss| loss.parameters(&mut vars))
    }
}

/// A [`LossInput`] without its tensors and weights.
#[derive(Serialize, Deserialize)]
struct About {
    outputs: usize,
    cases: Vec<String>,
    properties: Vec<Config>,
    epoch: usize,
}

pub(crate) fn export(loss: Box<dyn Loss>) -> LossObject {
    LossAbi_TO::from_value(Exported(Guarded::new(loss)), TD_Opaque)
}

struct Imported {
    object: Received<LossObject>,
    /// Whether it computes the loss of a whole batch; unknown before the first one.
    is_of_batch: Cell<Option<bool>>,
}

impl Imported {
    fn whole(&self, input: &LossInput<'_>) -> Result<Option<Tensor>> {
        let mut given = Given::new(&About {
            outputs: input.outputs.len(),
            cases: input.cases.to_vec(),
            properties: input.properties.to_vec(),
            epoch: input.epoch,
        })?;
        given.add_numbers(input.weights.iter().copied());
        let tensors = input.outputs.iter().chain([input.data]).chain(input.targets);
        let value = given.lend(tensors, |lent| self.object.call("of_batch", |loss| loss.of_batch(lent)))?;
        let Some(value) = value.into_option().map(from_handle) else { return Ok(None) };
        let logits = input.outputs.first().ok_or_else(|| Error::message("a network has outputs"))?;
        check(value, logits).map(Some).map_err(|error| self.object.named("of_batch", error))
    }
}

impl Loss for Imported {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (input, target) = (to_handle(logits.shallow_clone()), to_handle(target.shallow_clone()));
        let value = self.object.call("forward", |loss| loss.forward(input, target))?;
        check(from_handle(value), logits).map_err(|error| self.object.named("forward", error))
    }

    fn epoch_begins(&mut self, epoch: usize) -> Result<()> {
        self.object.call_mut("epoch_begins", |loss| loss.epoch_begins(epoch as u64))
    }

    fn of_batch(&self, input: &LossInput<'_>) -> Result<Option<Tensor>> {
        if self.is_of_batch.get() == Some(false) {
            return Ok(None);
        }
        let value = self.whole(input)?;
        self.is_of_batch.set(Some(value.is_some()));
        Ok(value)
    }

    fn parameters(&mut self, vars: &mut dyn VarFactory) -> Result<()> {
        lend_vars(vars, |vars| self.object.call_mut("parameters", |loss| loss.parameters(vars)))
    }
}

/// A loss is one finite number that depends on the logits.
fn check(value: Tensor, logits: &Tensor) -> Result<Tensor> {
    if value.numel() != 1 {
        return Err(Error::shape("loss", "a scalar", format!("{:?}", value.size())));
    }
    if !value.is_floating_point() {
        return Err(Error::shape("loss", "a floating-point scalar", format!("{:?}", value.kind())));
    }
    if value.device() != logits.device() {
        return Err(Error::shape("loss", on(logits.device()), on(value.device())));
    }
    if gradient_mode() != 0 && !value.requires_grad() {
        return Err(Error::message("the loss does not depend on the network (no gradient)"));
    }
    let number = f64::try_from(value.detach().reshape([]))?;
    if !number.is_finite() {
        return Err(Error::NotFinite(format!("loss {number}")));
    }
    Ok(value.reshape([]))
}

pub(crate) fn import(object: LossObject, label: String) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Imported { object: Received::new(object, label), is_of_batch: Cell::new(None) }))
}
