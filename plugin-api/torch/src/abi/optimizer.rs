//! Optimizers across the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::RString;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    Guarded, Lent, Message, Opened, OptimizerAbi, OptimizerAbi_TO, OptimizerObject, Received, decode, encode,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::handles::on;
use super::message::{Given, Taken, message};
use crate::{Config, Error, Optimized, Optimizer, Result};

struct Exported(Guarded<Box<dyn Optimizer>>);

/// A parameter of a step without its tensors.
#[derive(Serialize, Deserialize)]
struct Described {
    name: String,
    state: usize,
}

impl OptimizerAbi for Exported {
    fn initial_state(&self, given: Lent<'_>) -> AbiResult<Message> {
        self.0.call(|optimizer| {
            let state = optimizer.initial_state(&Taken::lent(&given).tensor()?)?;
            let (names, tensors): (Vec<_>, Vec<_>) = state.into_iter().unzip();
            message(tensors, &names)
        })
    }

    fn step(&mut self, given: Lent<'_>) -> AbiResult<()> {
        self.0.call_mut(|optimizer| {
            let mut taken = Taken::lent(&given);
            let described: Vec<Described> = taken.value()?;
            let parameters = described.into_iter().map(|Described { name, state }| {
                let (tensor, gradient) = (taken.tensor()?, taken.tensor()?);
                Ok(Optimized { name, tensor, gradient, state: taken.some(state)? })
            });
            let mut parameters: Vec<Optimized> = parameters.collect::<Result<_>>()?;
            let rate = taken.numbers.first().copied();
            let rate = rate.ok_or_else(|| Error::message("a step has a learning rate"))?;
            optimizer.step(&mut parameters, rate)
        })
    }

    fn settings(&self) -> AbiResult<RString> {
        self.0.call(|optimizer| encode(&optimizer.settings()))
    }
}

pub(crate) fn export(optimizer: Box<dyn Optimizer>) -> OptimizerObject {
    OptimizerAbi_TO::from_value(Exported(Guarded::new(optimizer)), TD_Opaque)
}

struct Imported {
    object: Received<Opened<OptimizerObject>>,
    settings: Config,
}

impl Optimizer for Imported {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        const METHOD: &str = "initial_state";
        let mut given = Given::default();
        let made =
            given.lend([parameter], |lent| self.object.call(METHOD, |object| object.initial_state(lent)))?;
        let mut taken = Taken::owned(made);
        let state = taken.value().and_then(|names: Vec<String>| {
            names.into_iter().map(|name| Ok((name, taken.tensor()?))).collect::<Result<Vec<_>>>()
        });
        let state = state.and_then(|state| check(state, parameter));
        state.map_err(|error| self.object.named(METHOD, error))
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        let described: Vec<Described> = parameters
            .iter()
            .map(|Optimized { name, state, .. }| Described { name: name.clone(), state: state.len() })
            .collect();
        let mut given = Given::new(&described)?;
        given.add_numbers([learning_rate]);
        let tensors = parameters.iter().flat_map(|Optimized { tensor, gradient, state, .. }| {
            [tensor, gradient].into_iter().chain(state)
        });
        given.lend(tensors, |lent| self.object.call_mut("step", |object| object.step(lent)))
    }

    fn settings(&self) -> Config {
        self.settings.clone()
    }
}

/// State is floating point, without axes or like the parameter.
fn check(state: Vec<(String, Tensor)>, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
    for (name, tensor) in &state {
        if tensor.dim() > 0 && tensor.size() != parameter.size() {
            let expected = format!("{:?}", parameter.size());
            return Err(Error::shape(name, expected, format!("{:?}", tensor.size())));
        }
        if !tensor.is_floating_point() {
            return Err(Error::shape(name, "floating-point numbers", format!("{:?}", tensor.kind())));
        }
        if tensor.device() != parameter.device() {
            return Err(Error::shape(name, on(parameter.device()), on(tensor.device())));
        }
    }
    Ok(state)
}

pub(crate) fn import(object: Opened<OptimizerObject>, label: String) -> Result<Box<dyn Optimizer>> {
    let object = Received::new(object, label);
    let settings = object.call("settings", |optimizer| optimizer.settings())?;
    let settings = decode(settings.as_str()).map_err(|error| object.named("settings", error))?;
    Ok(Box::new(Imported { object, settings }))
}
