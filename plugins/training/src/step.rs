//! One training step and the validation steps (v1 `nnUNetTrainerV2.run_iteration`).

use nnunet_losses::{deep_supervision_loss, deep_supervision_weights};
use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Result};

use crate::batch::Batch;
use crate::engine::Engine;
use crate::evaluation::OnlineEvaluation;
use crate::gradients::{clip_gradients, forget_gradients, unscale_gradients};
use crate::pool::BatchPool;

impl Engine {
    /// One optimiser step; returns the loss. In half precision a step whose gradients overflow changes nothing but the
    /// loss scale.
    ///
    /// # Errors
    /// A loss or gradient that is not finite; what network and loss return.
    pub fn train_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<f64> {
        forget_gradients(&self.store)?;
        let loss = self.loss_of(&self.forward(batch, true)?, batch)?;
        let value = f64::try_from(loss.detach().f_to_kind(Kind::Double)?)?;
        if !value.is_finite() {
            return Err(Error::NotFinite(format!("training loss {value}")));
        }
        self.backward(&loss)?;
        let clipped = clip_gradients(&self.store, self.trainer.blueprint.gradient_clipping);
        let overflowed = clipped.as_ref().is_err_and(Error::is_not_finite);
        if let Some(scaler) = &mut self.scaler {
            scaler.update(overflowed);
            if overflowed {
                return Ok(value);
            }
        }
        clipped?;
        self.optimizer.step(&self.store, learning_rate)?;
        Ok(value)
    }

    fn backward(&self, loss: &Tensor) -> Result<()> {
        let Some(scaler) = &self.scaler else { return Ok(loss.f_backward()?) };
        (loss * scaler.scale).f_backward()?;
        unscale_gradients(&self.store, scaler.scale)
    }

    pub(crate) fn forward(&self, batch: &Batch, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let data = batch.data.f_to_device(self.store.device())?.f_to_kind(self.kind)?;
        self.network.forward(&data, deep_supervision && self.trainer.blueprint.deep_supervision)
    }

    pub(crate) fn loss_of(&self, outputs: &[Tensor], batch: &Batch) -> Result<Tensor> {
        let device = self.store.device();
        let targets =
            batch.targets.iter().map(|target| Ok(target.f_to_device(device)?)).collect::<Result<Vec<_>>>()?;
        deep_supervision_loss(
            &*self.loss,
            outputs,
            &targets,
            &deep_supervision_weights(outputs.len(), self.trainer.blueprint.supervise_lowest),
        )
    }

    pub(crate) fn validate(&self, validation: &mut BatchPool) -> Result<(f64, OnlineEvaluation)> {
        let checks = self.trainer.blueprint.num_val_batches_per_epoch;
        let mut evaluation =
            OnlineEvaluation::new(self.num_classes, self.trainer.blueprint.regions.is_some());
        let mut sum = 0.0;
        for _ in 0..checks {
            let batch = validation.next()?;
            let outputs = no_grad(|| self.forward(&batch, true))?;
            let loss = no_grad(|| self.loss_of(&outputs, &batch))?;
            sum += f64::try_from(loss.f_to_kind(Kind::Double)?)?;
            evaluation.add(&outputs[0], &batch.targets[0].f_to_device(self.store.device())?)?;
        }
        Ok((sum / checks as f64, evaluation))
    }
}
