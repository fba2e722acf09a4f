//! Stochastic gradient descent with Nesterov momentum, as `torch.optim.SGD` computes it.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Tensor, no_grad};

use super::{Optimize, Setting, State, StateValue, take_tensor};

/// Gradient descent with momentum.
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    /// Momentum by trainable parameter; none before its first gradient.
    buffers: Vec<Option<Tensor>>,
}

impl Sgd {
    /// Without momentum yet. `weight_decay` is an L2 penalty.
    #[must_use]
    pub fn new(parameters: usize, momentum: f64, nesterov: bool, weight_decay: f64) -> Self {
        let buffers = std::iter::repeat_with(|| None).take(parameters).collect();
        Self { momentum, nesterov, weight_decay, buffers }
    }
}

impl Optimize for Sgd {
    fn step(&mut self, store: &ParameterStore, learning_rate: f64) -> Result<()> {
        no_grad(|| {
            for (parameter, buffer) in store.trainable().zip(&mut self.buffers) {
                let gradient = parameter.tensor.grad();
                if !gradient.defined() {
                    continue;
                }
                let mut tensor = parameter.tensor.shallow_clone();
                let gradient = gradient.f_add(&(&tensor * self.weight_decay))?;
                let velocity = match buffer.take() {
                    Some(past) => (past * self.momentum).f_add(&gradient)?,
                    None => gradient.shallow_clone(),
                };
                let change = if self.nesterov {
                    gradient.f_add(&(&velocity * self.momentum))?
                } else {
                    velocity.shallow_clone()
                };
                let _ = tensor.f_sub_(&(change * learning_rate))?;
                *buffer = Some(velocity);
            }
            Ok(())
        })
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        vec![
            ("momentum", Setting::Float(self.momentum)),
            ("dampening", Setting::Int(0)),
            ("weight_decay", Setting::Float(self.weight_decay)),
            ("nesterov", Setting::Bool(self.nesterov)),
            ("maximize", Setting::Bool(false)),
            ("foreach", Setting::None),
            ("differentiable", Setting::Bool(false)),
        ]
    }

    fn state(&self, parameter: usize) -> State {
        let buffer = self.buffers.get(parameter).and_then(Option::as_ref);
        let entry =
            |buffer: &Tensor| ("momentum_buffer".to_owned(), StateValue::Tensor(buffer.shallow_clone()));
        buffer.map(entry).into_iter().collect()
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        if let Some(slot) = self.buffers.get_mut(parameter) {
            *slot = Some(take_tensor(&mut state, "momentum_buffer")?);
        }
        Ok(())
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }
}
