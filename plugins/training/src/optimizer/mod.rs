//! Optimizers, with their state under the names of torch's state dict.

mod adam;
mod adan;
mod as_component;
mod from_component;
mod groups;
mod muon;
mod per_parameter;
mod ranger;
mod sgd;

use std::fmt::Debug;

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, Optimizer};
use nnunet_plugin_api::{Config, Error, Kind, Registration, Result, TensorFactories, inventory};

pub use adam::Adam;
pub use adan::Adan;
pub use from_component::FromComponent;
pub use groups::grouped;
pub use muon::Muon;
pub use ranger::Ranger;
pub use sgd::Sgd;

/// Changes the parameters against their gradients. Parameters without a gradient stay as they are.
pub trait Optimize: Debug + Send {
    /// One step.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn step(&mut self, store: &ParameterStore, learning_rate: f64) -> Result<()> {
        self.step_unless(store, learning_rate, None)
    }

    /// One step, which changes nothing where `skip`, a tensor without axes on the parameters' device, is 1. The program's
    /// optimizers leave the decision to the device; components of plugins have it read, and so wait for the device.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn step_unless(
        &mut self,
        store: &ParameterStore,
        learning_rate: f64,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        self.name_parameters(store);
        self.step_of(&Trained::of(store), learning_rate, skip)
    }

    /// As [`Optimize::step_unless`], of some parameters.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()>;

    /// Makes the state of parameters that have none yet.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn begin(&mut self, trained: &Trained) -> Result<()>;

    /// Takes over the names of the parameters, for optimizers that want to know them.
    fn name_parameters(&mut self, _store: &ParameterStore) {}

    /// Forgets the state of all parameters.
    fn forget(&mut self);

    /// Whether a step can be recorded as a CUDA graph: all that changes from step to step is in tensors on the device, and
    /// nothing is read. The first step of a parameter need not be.
    fn is_recordable(&self) -> bool {
        false
    }

    /// What torch's `param_groups` say beside `lr` and `params`, in torch's order.
    fn settings(&self) -> Vec<(&'static str, Setting)>;

    /// As [`Optimize::settings`], of optimizers that are components.
    fn own_settings(&self) -> Config {
        Config::new()
    }

    /// State of a trainable parameter; empty before its first step.
    fn state(&self, parameter: usize) -> State;

    /// Takes over the state of a trainable parameter, as [`Optimize::state`] gives it.
    ///
    /// # Errors
    /// Returns an error if a value is missing.
    fn restore(&mut self, parameter: usize, state: State) -> Result<()>;

    /// Sets the learning rates of parameter groups for the next steps, in the order of the groups; the last is of the
    /// parameters of no group. Without groups the rate of each step counts.
    fn set_group_rates(&mut self, _rates: &[f64]) {}

    /// Changes the momentum where there is one.
    fn set_momentum(&mut self, _momentum: f64) {}
}

/// A value of `param_groups`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// A number.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// A switch.
    Bool(bool),
    /// Two numbers.
    Pair(f64, f64),
    /// None.
    None,
}

/// A value of a parameter's state.
#[derive(Debug)]
pub enum StateValue {
    /// A tensor; steps of torch's own optimizers are tensors without axes.
    Tensor(Tensor),
    /// A count.
    Count(i64),
}

/// State of one parameter, in torch's order.
pub type State = Vec<(String, StateValue)>;

/// The optimizer of a blueprint, if it is built in. A program that knows plugins makes others itself, with
/// [`FromComponent`].
///
/// # Errors
/// Returns an error if there is no such optimizer, or if it refuses its parameters.
pub fn optimizer(blueprint: &Blueprint, store: &ParameterStore) -> Result<Box<dyn Optimize>> {
    let parameters = store.trainable().count();
    grouped(blueprint, store, &|blueprint| without_groups(blueprint, parameters))
}

fn without_groups(blueprint: &Blueprint, parameters: usize) -> Result<Box<dyn Optimize>> {
    let Optimizer::Other(choice) = &blueprint.optimizer else {
        let own = built_in(blueprint, parameters);
        return own.ok_or_else(|| Error::message("an optimizer of the engine"));
    };
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    let found = all.into_iter().find(|c| c.info.kind == Kind::Optimizer && c.info.name == choice.name);
    let Some(make) = found.as_ref().and_then(|component| component.factory.optimizer()) else {
        return Err(Error::message(format!("there is no optimizer `{}`", choice.name)));
    };
    Ok(Box::new(FromComponent::new(make(&choice.parameters)?, parameters)))
}

/// An optimizer of the engine's own.
fn built_in(blueprint: &Blueprint, parameters: usize) -> Option<Box<dyn Optimize>> {
    let weight_decay = blueprint.weight_decay;
    Some(match blueprint.optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            Box::new(Sgd::new(parameters, momentum, nesterov, weight_decay))
        }
        Optimizer::Adam { amsgrad, betas, eps } => {
            Box::new(Adam::new(parameters, amsgrad, betas, eps, weight_decay))
        }
        Optimizer::AdamW { amsgrad, betas, eps } => {
            Box::new(Adam::decoupled(parameters, amsgrad, betas, eps, weight_decay))
        }
        Optimizer::Ranger { k, alpha, betas, eps, n_sma_threshold } => {
            Box::new(Ranger::new(parameters, (k, alpha), betas, eps, n_sma_threshold, weight_decay))
        }
        Optimizer::Other(_) => return None,
    })
}

/// A number without axes on a parameter's device.
fn scalar(value: f64, parameter: &Tensor) -> Result<Tensor> {
    Ok(Tensor::f_full(&[] as &[i64], value, (Element::Float, parameter.device()))?)
}

/// The count in such a number.
fn step_of(tensor: &Tensor) -> Result<i64> {
    Ok(f64::try_from(tensor.f_to_kind(Element::Double)?)? as i64)
}

/// The parameters that have a gradient, with their numbers.
#[derive(Debug)]
pub struct Trained {
    numbers: Vec<usize>,
    tensors: Vec<Tensor>,
    gradients: Vec<Tensor>,
}

impl Trained {
    /// Some parameters, numbered from 0.
    fn new(tensors: Vec<Tensor>, gradients: Vec<Tensor>) -> Self {
        Self { numbers: (0..tensors.len()).collect(), tensors, gradients }
    }

    fn of(store: &ParameterStore) -> Self {
        let mut trained = Self { numbers: Vec::new(), tensors: Vec::new(), gradients: Vec::new() };
        for (number, parameter) in store.trainable().enumerate() {
            let gradient = parameter.tensor.grad();
            if gradient.defined() {
                trained.numbers.push(number);
                trained.tensors.push(parameter.tensor.shallow_clone());
                trained.gradients.push(gradient);
            }
        }
        trained
    }

    /// Those whose number is chosen.
    fn only(&self, chosen: impl Fn(usize) -> bool) -> Self {
        let keep = |tensors: &[Tensor]| {
            let pairs = self.numbers.iter().zip(tensors).filter(|(number, _)| chosen(**number));
            pairs.map(|(_, tensor)| tensor.shallow_clone()).collect()
        };
        Self {
            tensors: keep(&self.tensors),
            gradients: keep(&self.gradients),
            numbers: self.numbers.iter().copied().filter(|number| chosen(*number)).collect(),
        }
    }
}

/// Reads whether a step is to be left out, for optimizers that cannot leave it to the device.
fn is_skipped(skip: Option<&Tensor>) -> Result<bool> {
    Ok(match skip {
        Some(skip) => f64::try_from(skip)? != 0.0,
        None => false,
    })
}

/// A tensor of a state.
fn named(name: &str, tensor: &Tensor) -> (String, StateValue) {
    (name.to_owned(), StateValue::Tensor(tensor.shallow_clone()))
}

/// Removes a value from a state.
fn take(state: &mut State, name: &str) -> Option<StateValue> {
    let at = state.iter().position(|(other, _)| other == name)?;
    Some(state.swap_remove(at).1)
}

/// Removes a tensor from a state.
fn take_tensor(state: &mut State, name: &str) -> Result<Tensor> {
    match take(state, name) {
        Some(StateValue::Tensor(tensor)) => Ok(tensor),
        _ => Err(Error::message(format!("the optimizer's state lacks `{name}`"))),
    }
}

/// Removes the number of steps from a state; older versions of torch write a plain number.
fn take_step(state: &mut State) -> Result<i64> {
    Ok(match take(state, "step") {
        Some(StateValue::Count(step)) => step,
        Some(StateValue::Tensor(step)) => f64::try_from(step)? as i64,
        None => return Err(Error::message("the optimizer's state lacks `step`")),
    })
}
