//! A trainer that changes the weights once for every two batches, with the mean of their gradients.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Batch, Component, Info, Kind, Registration, Result, Trainer, Training, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "GradientAccumulation", "The weights change once for two batches.");
    Component::trainer(info, |_config| Ok(Box::new(GradientAccumulation)))
}));

const BATCHES: usize = 2;

struct GradientAccumulation;

impl Trainer for GradientAccumulation {
    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        let progress = training.progress()?;
        if progress.step.is_multiple_of(BATCHES) {
            training.zero_grad()?;
        }
        let outputs = training.forward(&batch.data)?;
        let loss = training.loss(&outputs, batch)?;
        training.backward(&loss.f_div_scalar(BATCHES as f64)?)?;
        // What is left at the end of an epoch is a step too.
        if (progress.step + 1).is_multiple_of(BATCHES) || progress.step + 1 == progress.steps {
            let _norm = training.clip_gradients(progress.gradient_clipping)?;
            training.optimizer_step()?;
        }
        Ok(Some(loss.detach()))
    }
}
