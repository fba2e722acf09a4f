//! Optimizers that are components: the engine keeps their state.

use std::fmt;

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Tensor, no_grad};
use nnunet_plugin_api::{Config, Error, Optimized, Optimizer, Result};

use super::per_parameter::PerParameter;
use super::{Optimize, Setting, State, StateValue, Trained, is_skipped};

/// A component with the state of all parameters.
pub struct FromComponent {
    optimizer: Box<dyn Optimizer>,
    /// Names of the parameters.
    names: Vec<String>,
    states: PerParameter<Vec<(String, Tensor)>>,
}

impl fmt::Debug for FromComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromComponent").field("settings", &self.optimizer.settings()).finish_non_exhaustive()
    }
}

impl FromComponent {
    /// An optimizer of so many trainable parameters, without state yet.
    #[must_use]
    pub fn new(optimizer: Box<dyn Optimizer>, parameters: usize) -> Self {
        Self { optimizer, names: Vec::new(), states: PerParameter::new(parameters) }
    }

    /// The parameters of a step with their state, which is on their device.
    fn optimized(&mut self, trained: &Trained) -> Result<Vec<Optimized>> {
        let mut all = Vec::new();
        for ((number, tensor), gradient) in
            trained.numbers.iter().zip(&trained.tensors).zip(&trained.gradients)
        {
            let state =
                self.states.get_mut(*number).ok_or_else(|| Error::message("a parameter has state"))?;
            for (_, tensor_of_state) in state.iter_mut() {
                if tensor_of_state.device() != tensor.device() {
                    *tensor_of_state = tensor_of_state.f_to_device(tensor.device())?;
                }
            }
            all.push(Optimized {
                name: self.names.get(*number).cloned().unwrap_or_default(),
                tensor: tensor.shallow_clone(),
                gradient: gradient.shallow_clone(),
                state: state.iter().map(|(_, tensor)| tensor.shallow_clone()).collect(),
            });
        }
        Ok(all)
    }
}

impl Optimize for FromComponent {
    fn name_parameters(&mut self, store: &ParameterStore) {
        if self.names.is_empty() {
            self.names = store.trainable().map(|parameter| parameter.name.clone()).collect();
        }
    }

    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()> {
        if is_skipped(skip)? {
            return Ok(());
        }
        self.begin(trained)?;
        let mut all = self.optimized(trained)?;
        no_grad(|| self.optimizer.step(&mut all, learning_rate))
    }

    fn begin(&mut self, trained: &Trained) -> Result<()> {
        let optimizer = &self.optimizer;
        self.states.begin(trained, |parameter| optimizer.initial_state(parameter))
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        Vec::new()
    }

    fn own_settings(&self) -> Config {
        self.optimizer.settings()
    }

    fn state(&self, parameter: usize) -> State {
        let state = self.states.get(parameter).into_iter().flatten();
        state.map(|(name, tensor)| (name.clone(), StateValue::Tensor(tensor.shallow_clone()))).collect()
    }

    fn restore(&mut self, parameter: usize, state: State) -> Result<()> {
        let tensors = state.into_iter().map(|(name, value)| match value {
            StateValue::Tensor(tensor) => Ok((name, tensor)),
            StateValue::Count(count) => Ok((name, Tensor::from(count as f32))),
        });
        self.states.set(parameter, tensors.collect::<Result<_>>()?);
        Ok(())
    }

    fn forget(&mut self) {
        self.states.clear();
    }
}
