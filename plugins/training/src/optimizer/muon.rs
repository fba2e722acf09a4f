//! Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal, as `torch.optim.Muon` computes it. Kernels of
//! convolutions are matrices of output channels by all else; vectors get AdamW.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Config, Info, Kind, Optimized, Optimizer, Registration, Result, inventory, parse_config,
    serde_json,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{scalar, step_of};

/// Coefficients of the Newton-Schulz iteration.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];
/// Decay rates of AdamW for vectors.
const BETAS: [f64; 2] = [0.9, 0.999];

/// Parameters of [`Muon`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Muon {
    /// Momentum.
    pub momentum: f64,
    /// Nesterov momentum.
    pub nesterov: bool,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Iterations that make a matrix orthogonal.
    pub ns_steps: usize,
    /// Added to the norm of a matrix for numerical stability.
    pub eps: f64,
}

impl Default for Muon {
    fn default() -> Self {
        Self { momentum: 0.95, nesterov: true, weight_decay: 0.1, ns_steps: 5, eps: 1e-7 }
    }
}

inventory::submit!(Registration(|| {
    let summary = "Orthogonal momentum for kernels, AdamW for vectors; weight decay is decoupled.";
    let info = Info::new(Kind::Optimizer, "Muon", summary);
    Component::optimizer(info.with_config::<Muon>(), |config| Ok(Box::new(parse_config::<Muon>(config)?)))
}));

impl Optimizer for Muon {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        let zeros = |name: &str| -> Result<_> { Ok((name.to_owned(), parameter.f_zeros_like()?)) };
        if parameter.dim() > 1 {
            return Ok(vec![zeros("momentum_buffer")?]);
        }
        Ok(vec![("step".to_owned(), scalar(0.0, parameter)?), zeros("exp_avg")?, zeros("exp_avg_sq")?])
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        for parameter in parameters {
            let _ = parameter.tensor.f_mul_scalar_(1.0 - learning_rate * self.weight_decay)?;
            if parameter.tensor.dim() > 1 {
                self.matrix(parameter, learning_rate)?;
            } else {
                vector(parameter, learning_rate)?;
            }
        }
        Ok(())
    }

    fn settings(&self) -> Config {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(settings)) => settings,
            _ => Config::new(),
        }
    }
}

impl Muon {
    fn matrix(&self, parameter: &mut Optimized, learning_rate: f64) -> Result<()> {
        let Optimized { tensor, gradient, state, .. } = parameter;
        let _ = state[0].f_lerp_(gradient, 1.0 - self.momentum)?;
        let update =
            if self.nesterov { gradient.f_lerp(&state[0], self.momentum)? } else { state[0].shallow_clone() };
        let rows = update.size()[0];
        let update = update.f_reshape([rows, -1])?;
        let shape = update.size();
        let factor = (shape[0] as f64 / shape[1] as f64).max(1.0).sqrt();
        let update = self.orthogonal(&update)?.f_to_kind(tensor.kind())?.f_reshape(tensor.size())?;
        let _ = tensor.f_sub_(&update.f_mul_scalar(learning_rate * factor)?)?;
        Ok(())
    }

    /// The nearest orthogonal matrix, nearly.
    fn orthogonal(&self, matrix: &Tensor) -> Result<Tensor> {
        let [a, b, c] = COEFFICIENTS;
        let is_tall = matrix.size()[0] > matrix.size()[1];
        let turned = |x: &Tensor| if is_tall { x.f_transpose(0, 1) } else { Ok(x.shallow_clone()) };
        // As in torch; whoever trains in double precision wants no 16 bits.
        let element = if matrix.kind() == Element::Double { Element::Double } else { Element::BFloat16 };
        let x = turned(&matrix.f_to_kind(element)?)?;
        // One operator multiplies and adds, as in torch: with 16 bits each rounding counts.
        let mut x = x.f_div(&x.f_norm()?.f_clamp_min(self.eps)?)?.f_unsqueeze(0)?;
        for _ in 0..self.ns_steps {
            let gram = x.f_matmul(&x.f_transpose(1, 2)?)?;
            let update = gram.f_baddbmm(&gram, &gram, b, c)?;
            x = x.f_baddbmm(&update, &x, a, 1.0)?;
        }
        Ok(turned(&x.f_squeeze_dim(0)?)?)
    }
}

/// A step of Adam; the weights have decayed.
fn vector(parameter: &mut Optimized, learning_rate: f64) -> Result<()> {
    let Optimized { tensor, gradient, state, .. } = parameter;
    let step = step_of(&state[0])? + 1;
    let [beta1, beta2] = BETAS;
    let _ = state[0].f_fill_(step as f64)?;
    let _ = state[1].f_lerp_(gradient, 1.0 - beta1)?;
    let _ = state[2].f_lerp_(&gradient.f_square()?, 1.0 - beta2)?;
    let root = (1.0 - beta2.powi(step as i32)).sqrt();
    let denominator = state[2].f_sqrt()?.f_div_scalar(root)? + 1e-8;
    let size = learning_rate / (1.0 - beta1.powi(step as i32));
    let _ = tensor.f_sub_(&state[1].f_div(&denominator)?.f_mul_scalar(size)?)?;
    Ok(())
}
