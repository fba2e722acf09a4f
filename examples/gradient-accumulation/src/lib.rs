//! A trainer that changes the weights once for several batches, with the mean of their gradients. How many is a parameter:
//! `batches = 4` in the table of a trainer that extends it, or `--set batches=4`.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Batch, Component, Info, Kind, Registration, Result, Trainer, Training, export_plugin, inventory,
    parse_config,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Trainer, "GradientAccumulation", "The weights change once for several batches.");
    Component::trainer(info.with_config::<GradientAccumulation>(), |config| {
        Ok(Box::new(parse_config::<GradientAccumulation>(config)?))
    })
}));

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct GradientAccumulation {
    /// Batches for each change of the weights.
    #[schemars(range(min = 1))]
    batches: usize,
}

impl Default for GradientAccumulation {
    fn default() -> Self {
        Self { batches: 2 }
    }
}

impl Trainer for GradientAccumulation {
    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        let progress = training.progress()?;
        if progress.step.is_multiple_of(self.batches) {
            training.zero_grad()?;
        }
        let outputs = training.forward(&batch.data)?;
        let loss = training.loss(&outputs, batch)?;
        training.backward(&loss.f_div_scalar(self.batches as f64)?)?;
        // What is left at the end of an epoch is a step too.
        if (progress.step + 1).is_multiple_of(self.batches) || progress.step + 1 == progress.steps {
            let _norm = training.clip_gradients(progress.gradient_clipping)?;
            training.optimizer_step()?;
        }
        Ok(Some(loss.detach()))
    }
}
