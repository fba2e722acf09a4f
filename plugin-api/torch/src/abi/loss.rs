//! Losses across the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    Guarded, LossAbi, LossAbi_TO, LossObject, Received, TensorHandle,
};
use tch::Tensor;

use super::modes::gradient_mode;
use super::{from_handle, on, to_handle};
use crate::{Error, Loss, Result};

struct Exported(Guarded<Box<dyn Loss>>);

impl LossAbi for Exported {
    fn forward(&self, logits: TensorHandle, target: TensorHandle) -> AbiResult<TensorHandle> {
        let (logits, target) = (from_handle(logits), from_handle(target));
        self.0.call(|loss| loss.forward(&logits, &target).map(to_handle))
    }

    fn epoch_begins(&mut self, epoch: u64) -> AbiResult<()> {
        self.0.call_mut(|loss| loss.epoch_begins(epoch as usize))
    }
}

pub(crate) fn export(loss: Box<dyn Loss>) -> LossObject {
    LossAbi_TO::from_value(Exported(Guarded::new(loss)), TD_Opaque)
}

struct Imported(Received<LossObject>);

impl Loss for Imported {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (input, target) = (to_handle(logits.shallow_clone()), to_handle(target.shallow_clone()));
        let value = self.0.call("forward", |loss| loss.forward(input, target))?;
        check(from_handle(value), logits).map_err(|error| self.0.named("forward", error))
    }

    fn epoch_begins(&mut self, epoch: usize) -> Result<()> {
        self.0.call_mut("epoch_begins", |loss| loss.epoch_begins(epoch as u64))
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
    Ok(Box::new(Imported(Received::new(object, label))))
}
