//! A trainer that looks for flat minima: the gradients are those a small way up the slope (SAM, Foret et al. 2021).

use nnunet_plugin_api::tch::{Tensor, no_grad};
use nnunet_plugin_api::{
    Batch, Component, Info, Kind, Registration, Result, Trainer, Training, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "SharpnessAware", "Sharpness-aware minimization: two passes a step.");
    Component::trainer(info, |_config| Ok(Box::new(SharpnessAware)))
}));

/// How far up the slope.
const RADIUS: f64 = 0.05;

struct SharpnessAware;

impl Trainer for SharpnessAware {
    fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        let first = backward(training, batch)?;
        let norm = training.clip_gradients(None)?;
        let mut weights: Vec<Tensor> =
            training.parameters()?.into_iter().filter(|p| p.trainable).map(|p| p.tensor).collect();
        let before: Vec<Tensor> = weights.iter().map(|weight| weight.detach().copy()).collect();
        no_grad(|| -> Result<()> {
            let way = (norm + 1e-12).f_reciprocal()? * RADIUS;
            for weight in weights.iter_mut().filter(|weight| weight.grad().defined()) {
                let up = weight.grad().f_mul(&way)?;
                let _ = weight.f_add_(&up)?;
            }
            Ok(())
        })?;
        let second = backward(training, batch);
        no_grad(|| weights.iter_mut().zip(&before).try_for_each(|(weight, old)| weight.f_copy_(old)))?;
        let _loss = second?;
        let largest = training.progress()?.gradient_clipping;
        let _norm = training.clip_gradients(largest)?;
        training.optimizer_step()?;
        Ok(Some(first))
    }
}

/// The gradients of the weights as they are; returns the loss.
fn backward(training: &mut dyn Training, batch: &Batch) -> Result<Tensor> {
    training.zero_grad()?;
    let outputs = training.forward(&batch.data)?;
    let loss = training.loss(&outputs, batch)?;
    training.backward(&loss)?;
    Ok(loss.detach())
}
