//! MyOptimizer: an optimizer for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Component, Info, Kind, Optimized, Optimizer, Registration, Result, export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters: `optimizer = { name = "MyOptimizer", momentum = 0.95 }` in a trainer's table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyOptimizer {
    /// Weight of the past steps.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Decoupled weight decay; where a trainer sets none, that of its settings.
    #[schemars(range(min = 0.0))]
    weight_decay: f64,
}

impl Default for MyOptimizer {
    fn default() -> Self {
        Self { momentum: 0.9, weight_decay: 0.0 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Optimizer, "MyOptimizer", "Steps along the signs of averaged gradients.");
    Component::optimizer(info.with_config::<MyOptimizer>(), |config| {
        Ok(Box::new(parse_config::<MyOptimizer>(config)?))
    })
}));

impl Optimizer for MyOptimizer {
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
        Ok(vec![("momentum_buffer".to_owned(), parameter.f_zeros_like()?)])
    }

    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
        for Optimized { tensor, gradient, state, .. } in parameters {
            let _ = state[0].f_lerp_(gradient, 1.0 - self.momentum)?;
            let _ = tensor.f_mul_scalar_(1.0 - learning_rate * self.weight_decay)?;
            let _ = tensor.f_sub_(&state[0].f_sign()?.f_mul_scalar(learning_rate)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }

    #[test]
    fn a_step_goes_against_the_gradient() {
        let [tensor, gradient] = [[1.0_f32, 2.0], [0.5, -0.5]].map(|values| Tensor::from_slice(&values));
        let mut optimizer = MyOptimizer::default();
        let state = optimizer.initial_state(&tensor).unwrap().into_iter().map(|(_, tensor)| tensor).collect();
        let mut parameters = [Optimized { name: "weight".to_owned(), tensor, gradient, state }];
        optimizer.step(&mut parameters, 0.1).unwrap();
        let moved: Vec<f32> = Vec::try_from(&parameters[0].tensor).unwrap();
        assert!(moved[0] < 1.0 && moved[1] > 2.0, "{moved:?}");
    }
}
