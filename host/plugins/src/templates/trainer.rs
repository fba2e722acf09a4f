//! MyTrainer: a trainer for nnunet.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{
    Component, Info, Kind, Loss, LossContext, Registration, Result, Trainer, TrainerContext, export_plugin,
    inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "MyTrainer", "nnUNetTrainerV2 with a loss of its own.");
    Component::trainer(info, |_config| Ok(Box::new(MyTrainer)))
}));

struct MyTrainer;

impl Trainer for MyTrainer {
    fn extends(&self) -> String {
        "nnUNetTrainerV2".to_owned()
    }

    /// Changes values of the parent: `nnunet trainers show nnUNetTrainerV2` lists them.
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.initial_lr = 1e-2;
        Ok(())
    }

    fn loss(&self, _context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        Ok(Some(Box::new(MyLoss)))
    }
}

struct MyLoss;

impl Loss for MyLoss {
    /// logits: (batch, classes, space...), float; target: (batch, 1, space...), labels. Returns a scalar.
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_p = logits.f_log_softmax(1, Element::Float)?.f_gather(1, target, false)?;
        Ok(log_p.f_mean(Element::Float)?.f_neg()?)
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
        let loss = |class| MyLoss.forward(&logits, &label(class)).unwrap().double_value(&[]);
        assert!(loss(0) < loss(1));
    }

    #[test]
    fn a_network_learns_with_it() {
        let losses = Training::default().trainer(&MyTrainer).run(20).unwrap();
        assert!(losses[19] < losses[0], "{losses:?}");
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
