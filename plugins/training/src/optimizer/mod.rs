//! Optimizers, with their state under the names of torch's state dict.

mod adam;
mod per_parameter;
mod ranger;
mod sgd;

use std::fmt::Debug;

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::{Blueprint, Optimizer};

pub use adam::Adam;
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

    /// One step, which changes nothing where `skip`, a tensor without axes on the parameters' device, is 1. The device
    /// decides: reading it would make the program wait.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn step_unless(
        &mut self,
        store: &ParameterStore,
        learning_rate: f64,
        skip: Option<&Tensor>,
    ) -> Result<()>;

    /// Whether a step can be recorded as a CUDA graph: all that changes from step to step is in tensors on the device, and
    /// nothing is read. The first step of a parameter need not be.
    fn is_recordable(&self) -> bool {
        false
    }

    /// What torch's `param_groups` say beside `lr` and `params`, in torch's order.
    fn settings(&self) -> Vec<(&'static str, Setting)>;

    /// State of a trainable parameter; empty before its first step.
    fn state(&self, parameter: usize) -> State;

    /// Takes over the state of a trainable parameter, as [`Optimize::state`] gives it.
    ///
    /// # Errors
    /// Returns an error if a value is missing.
    fn restore(&mut self, parameter: usize, state: State) -> Result<()>;

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

/// The optimizer of a blueprint.
#[must_use]
pub fn optimizer(blueprint: &Blueprint, store: &ParameterStore) -> Box<dyn Optimize> {
    let (parameters, weight_decay) = (store.trainable().count(), blueprint.weight_decay);
    match blueprint.optimizer {
        Optimizer::Sgd { momentum, nesterov } => {
            Box::new(Sgd::new(parameters, momentum, nesterov, weight_decay))
        }
        Optimizer::Adam { amsgrad, betas, eps } => {
            Box::new(Adam::new(parameters, amsgrad, betas, eps, weight_decay))
        }
        Optimizer::Ranger { k, alpha, betas, eps, n_sma_threshold } => {
            Box::new(Ranger::new(parameters, (k, alpha), betas, eps, n_sma_threshold, weight_decay))
        }
    }
}

/// The parameters that have a gradient, with their numbers.
struct Trained {
    numbers: Vec<usize>,
    tensors: Vec<Tensor>,
    gradients: Vec<Tensor>,
}

impl Trained {
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
        _ => Err(nnunet_plugin_api::Error::message(format!("the optimizer's state lacks `{name}`"))),
    }
}

/// Removes the number of steps from a state; older versions of torch write a plain number.
fn take_step(state: &mut State) -> Result<i64> {
    Ok(match take(state, "step") {
        Some(StateValue::Count(step)) => step,
        Some(StateValue::Tensor(step)) => f64::try_from(step)? as i64,
        None => return Err(nnunet_plugin_api::Error::message("the optimizer's state lacks `step`")),
    })
}
