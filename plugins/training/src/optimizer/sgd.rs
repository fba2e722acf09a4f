//! Stochastic gradient descent with Nesterov momentum, as `torch.optim.SGD` computes it.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::Tensor;
use nnunet_torch_ops::SgdStep;

use super::per_parameter::PerParameter;
use super::{Optimize, Setting, State, Trained, named, take_tensor};

/// Gradient descent with momentum.
#[derive(Debug)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    /// Momentum by trainable parameter; none before its first gradient.
    buffers: PerParameter<Tensor>,
}

impl Sgd {
    /// Without momentum yet. `weight_decay` is an L2 penalty.
    #[must_use]
    pub fn new(parameters: usize, momentum: f64, nesterov: bool, weight_decay: f64) -> Self {
        Self { momentum, nesterov, weight_decay, buffers: PerParameter::new(parameters) }
    }

    fn step_of_group(
        &mut self,
        trained: &Trained,
        learning_rate: f64,
        is_first: bool,
        skip: Option<&Tensor>,
    ) -> Result<()> {
        let Self { momentum, nesterov, weight_decay, .. } = *self;
        let how = SgdStep { learning_rate, momentum, weight_decay, nesterov, is_first };
        // A first step that is left out leaves zeros: then the next one computes what a first one would.
        self.begin(trained)?;
        let buffers = self.buffers.tensors(trained, |buffer| buffer);
        Ok(nnunet_torch_ops::sgd(&trained.tensors, &trained.gradients, &buffers, how, skip)?)
    }
}

impl Optimize for Sgd {
    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()> {
        let groups = [true, false].map(|is_first| {
            (is_first, trained.only(|number| self.buffers.get(number).is_none() == is_first))
        });
        for (is_first, group) in groups.iter().filter(|(_, group)| !group.numbers.is_empty()) {
            self.step_of_group(group, learning_rate, *is_first, skip)?;
        }
        Ok(())
    }

    fn begin(&mut self, trained: &Trained) -> Result<()> {
        self.buffers.begin(trained, |parameter| Ok(parameter.f_zeros_like()?))
    }

    fn forget(&mut self) {
        self.buffers.clear();
    }

    fn is_recordable(&self) -> bool {
        true
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
        let buffer = self.buffers.get(parameter);
        buffer.map(|buffer| named("momentum_buffer", buffer)).into_iter().collect()
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        self.buffers.set(parameter, take_tensor(&mut state, "momentum_buffer")?);
        Ok(())
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }
}
