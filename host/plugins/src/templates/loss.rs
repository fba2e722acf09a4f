//! MyLoss: a loss for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Info, Kind, Loss, Registration, Result, export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters: `loss = { name = "MyLoss", gamma = 1.0 }` in a trainer's table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyLoss {
    /// Focusing parameter: reduces the weight of voxels that are classified well; 0 is cross entropy.
    #[schemars(range(min = 0.0))]
    gamma: f64,
}

impl Default for MyLoss {
    fn default() -> Self {
        Self { gamma: 2.0 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "MyLoss", "Focal cross entropy.").with_config::<MyLoss>();
    Component::loss(info, |config| Ok(Box::new(parse_config::<MyLoss>(config)?)))
}));

impl Loss for MyLoss {
    /// logits: (batch, classes, space...), float; target: (batch, 1, space...), labels. Returns a scalar.
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_p = logits.f_log_softmax(1, Element::Float)?.f_gather(1, target, false)?;
        let wrong = log_p.f_exp()?.f_neg()?.f_add_scalar(1.0)?.f_pow_tensor_scalar(self.gamma)?;
        Ok(wrong.f_mul(&log_p)?.f_mean(Element::Float)?.f_neg()?)
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::tch::Device;
    use nnunet_plugin_test::Training;

    use super::*;

    #[test]
    fn being_right_costs_less_than_being_wrong() {
        let logits = Tensor::from_slice(&[5.0_f32, -5.0]).reshape([1, 2, 1, 1, 1]);
        let label = |class: i64| Tensor::full([1, 1, 1, 1, 1], class, (Element::Int64, Device::Cpu));
        let loss = |class| MyLoss::default().forward(&logits, &label(class)).unwrap().double_value(&[]);
        assert!(loss(0) < loss(1));
    }

    #[test]
    fn a_network_learns_with_it() {
        let losses = Training::default().loss(&MyLoss::default()).run(20).unwrap();
        assert!(losses[19] < losses[0], "{losses:?}");
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
