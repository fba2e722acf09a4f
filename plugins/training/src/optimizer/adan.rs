//! Adan (Xie et al. 2022), as the package adan-pytorch computes it, which v2 uses.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Config, Info, Kind, Optimized, Optimizer, Registration, Result, inventory, parse_config,
    serde_json,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{scalar, step_of};

/// Parameters of [`Adan`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Adan {
    /// Weights of the new values in the averages of gradient, its change and its square.
    pub betas: [f64; 3],
    /// Added to the denominator for numerical stability.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl Default for Adan {
    fn default() -> Self {
        Self { betas: [0.02, 0.08, 0.01], eps: 1e-8, weight_decay: 0.0 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Optimizer, "Adan", "Adaptive Nesterov momentum; weight decay is decoupled.");
    Component::optimizer(info.with_config::<Adan>(), |config| Ok(Box::new(parse_config::<Adan>(config)?)))
}));

impl Optimizer for Adan {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let mut state = vec![("step".to_owned(), scalar(0.0, parameter)?)];
        for name in ["prev_grad", "m", "v", "n"] {
            state.push((name.to_owned(), parameter.f_zeros_like()?));
        }
        Ok(state)
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        parameters.iter_mut().try_for_each(|parameter| self.update(parameter, learning_rate))
    }

    fn settings(&self) -> Config {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(settings)) => settings,
            _ => Config::new(),
        }
    }
}

impl Adan {
    fn update(&self, parameter: &mut Optimized, learning_rate: f64) -> Result<()> {
        let [b1, b2, b3] = self.betas;
        let Optimized { tensor, gradient, state, .. } = parameter;
        let done = step_of(&state[0])?;
        let [_, previous, m, v, n] = &mut state[..] else {
            return Err(nnunet_plugin_api::Error::message("the state of Adan has five tensors"));
        };
        // The first step only keeps the gradient.
        if done > 0 {
            let change = gradient.f_sub(previous)?;
            let _ = m.f_lerp_(gradient, b1)?;
            let _ = v.f_lerp_(&change, b2)?;
            let square = gradient.f_add(&change.f_mul_scalar(1.0 - b2)?)?.f_square()?;
            let _ = n.f_lerp_(&square, b3)?;
        }
        let step = done + 1;
        let correction = |beta: f64| 1.0 / (1.0 - (1.0 - beta).powi(step as i32));
        let size = (n.f_mul_scalar(correction(b3))?.f_sqrt()? + self.eps).f_reciprocal()? * learning_rate;
        let way = m.f_mul_scalar(correction(b1))? + v.f_mul_scalar((1.0 - b2) * correction(b2))?;
        let _ = tensor.f_sub_(&size.f_mul(&way)?)?.f_div_scalar_(1.0 + self.weight_decay * learning_rate)?;
        previous.f_copy_(gradient)?;
        let _ = state[0].f_fill_(step as f64)?;
        debug_assert_eq!(state[0].kind(), Element::Float);
        Ok(())
    }
}
