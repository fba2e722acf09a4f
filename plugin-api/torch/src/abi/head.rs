//! Heads across the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RStr, RString};
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    Guarded, HeadAbi, HeadAbi_TO, HeadObject, Lent, Opened, Received, TensorHandle, decode, encode,
};
use serde::Serialize;
use tch::Tensor;

use super::handles::{from_handle, on, to_handle};
use super::message::{Given, Taken};
use crate::task_head::{check_finite, check_scores, check_targets, check_written};
use crate::{Error, Head, HeadFacts, HeadTask, Result};

struct Exported(Guarded<Box<dyn Head>>);

impl HeadAbi for Exported {
    fn facts(&self) -> AbiResult<RString> {
        self.0.call(|head| encode(&head.facts()))
    }

    fn outputs(&self, task: RStr<'_>) -> AbiResult<u64> {
        self.0.call(|head| Ok(head.outputs(&decode(task.as_str())?)? as u64))
    }

    fn targets(&self, given: Lent<'_>) -> AbiResult<TensorHandle> {
        self.0.call(|head| {
            let mut taken = Taken::lent(&given);
            head.targets(&taken.value()?, &taken.tensor()?).map(to_handle)
        })
    }

    fn scores(&self, given: Lent<'_>) -> AbiResult<TensorHandle> {
        self.0.call(|head| head.scores(&Taken::lent(&given).tensor()?).map(to_handle))
    }

    fn written(&self, given: Lent<'_>) -> AbiResult<TensorHandle> {
        self.0.call(|head| {
            let mut taken = Taken::lent(&given);
            head.written(&taken.value()?, &taken.tensor()?).map(to_handle)
        })
    }
}

pub(crate) fn export(head: Box<dyn Head>) -> HeadObject {
    HeadAbi_TO::from_value(Exported(Guarded::new(head)), TD_Opaque)
}

struct Imported {
    object: Received<Opened<HeadObject>>,
    facts: HeadFacts,
}

/// A method of the object that takes a JSON value and a tensor.
type Method = fn(&HeadObject, Lent<'_>) -> AbiResult<TensorHandle>;

impl Imported {
    /// What a method makes of a tensor: another one on the same device.
    fn tensor(
        &self,
        name: &'static str,
        method: Method,
        about: &impl Serialize,
        tensor: &Tensor,
    ) -> Result<Tensor> {
        let mut given = Given::new(about)?;
        let made = given.lend([tensor], |lent| self.object.call(name, |object| method(object, lent)))?;
        let made = from_handle(made);
        if made.device() != tensor.device() {
            let error = Error::shape(name, on(tensor.device()), on(made.device()));
            return Err(self.object.named(name, error));
        }
        Ok(made)
    }

    /// A result that is not what the method may return is an error of the method.
    fn checked(
        &self,
        name: &'static str,
        made: Tensor,
        check: impl Fn(&Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        check(&made).map_err(|error| self.object.named(name, error))?;
        Ok(made)
    }
}

impl Head for Imported {
    fn facts(&self) -> HeadFacts {
        self.facts.clone()
    }

    fn outputs(&self, task: &HeadTask) -> Result<usize> {
        let text = encode(task)?;
        match self.object.call("outputs", |object| object.outputs(text.as_rstr()))? {
            0 => Err(self.object.named("outputs", Error::shape("outputs", "at least one", 0))),
            outputs => Ok(outputs as usize),
        }
    }

    fn targets(&self, task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
        let targets = self.tensor("targets", |object, given| object.targets(given), task, labels)?;
        self.checked("targets", targets, |targets| {
            check_targets(labels, targets)?;
            check_finite("a target", targets)
        })
    }

    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        let scores = self.tensor("scores", |object, given| object.scores(given), &(), outputs)?;
        self.checked("scores", scores, |scores| {
            check_scores(outputs, scores)?;
            check_finite("a score", scores)
        })
    }

    fn written(&self, task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        let written = self.tensor("written", |object, given| object.written(given), task, scores)?;
        self.checked("written", written, |written| {
            check_written(self.facts.written, scores, written)?;
            check_finite("a value", written)
        })
    }
}

pub(crate) fn import(object: Opened<HeadObject>, label: String) -> Result<Box<dyn Head>> {
    let object = Received::new(object, label);
    let text = object.call("facts", |head| head.facts())?;
    let facts = decode(&text).map_err(|error| object.named("facts", error))?;
    Ok(Box::new(Imported { object, facts }))
}
