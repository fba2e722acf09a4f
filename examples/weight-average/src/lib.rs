//! A trainer that predicts with a moving average of its weights (Polyak and Juditsky 1992).

use nnunet_plugin_api::tch::{Tensor, no_grad};
use nnunet_plugin_api::{
    Batch, Component, Info, Kind, Registration, Result, Trainer, Training, built_in_step, export_plugin,
    inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "WeightAverage", "Predicts with a moving average of the weights.");
    Component::trainer(info, |_config| Ok(Box::new(WeightAverage)))
}));

/// Name of the network with the average.
const AVERAGE: &str = "average";
/// Share of the average that stays in a step.
const DECAY: f64 = 0.9;

struct WeightAverage;

impl Trainer for WeightAverage {
    fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
        training.add_network(AVERAGE)
    }

    fn predicts_with(&self) -> Result<Option<String>> {
        Ok(Some(AVERAGE.to_owned()))
    }

    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        let loss = built_in_step(training, batch)?;
        no_grad(|| -> Result<()> {
            for (average, now) in training.parameters_of(AVERAGE)?.into_iter().zip(training.parameters()?) {
                // Counters of batch norm are whole numbers, which are not averaged.
                let mut tensor = average.tensor;
                if tensor.is_floating_point() {
                    let _ = tensor.f_lerp_(&now.tensor, 1.0 - DECAY)?;
                } else {
                    tensor.f_copy_(&now.tensor)?;
                }
            }
            Ok(())
        })?;
        Ok(Some(loss))
    }
}
