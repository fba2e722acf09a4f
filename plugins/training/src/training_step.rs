//! One training step (v1 `nnUNetTrainerV2.run_iteration`).

use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Error, Result};
use nnunet_torch_ops::ReadLater;

use crate::batch::Batch;
use crate::gradients::{clip_gradients, clip_on_device, forget_gradients, unscale_gradients};
use crate::state::Engine;

/// A step that has been started. On a GPU its kernels may still be running.
pub(crate) enum StartedStep {
    /// Its loss is known.
    Done(f64),
    /// Loss and norm of the gradients are on their way from the device.
    UnderWay(ReadLater),
}

impl StartedStep {
    /// The loss; waits for the step's kernels.
    ///
    /// # Errors
    /// Returns an error if the loss or a gradient is not finite. The step has then changed nothing.
    pub(crate) fn loss(self) -> Result<f64> {
        match self {
            StartedStep::Done(loss) => Ok(loss),
            StartedStep::UnderWay(values) => match values.read()?[..] {
                [loss, _] if !loss.is_finite() => Err(Error::NotFinite(format!("training loss {loss}"))),
                [_, norm] if !norm.is_finite() => Err(Error::NotFinite(format!("gradient norm {norm}"))),
                [loss, _] => Ok(loss),
                _ => Err(Error::message("a step has a loss and a norm")),
            },
        }
    }
}

impl Engine {
    /// Whether steps are started before the values of the one before are read. In half precision with a scaled loss they
    /// are not: the next scale depends on them, as in torch's `GradScaler`.
    pub(crate) fn reads_late(&self) -> bool {
        self.store.device() != Device::Cpu && self.scaler.is_none()
    }

    /// One optimizer step; returns the loss. In half precision a step whose gradients overflow changes nothing but the
    /// loss scale.
    ///
    /// # Errors
    /// Returns an error if the loss or a gradient is not finite, or if network or loss fail.
    pub fn train_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<f64> {
        self.start_step(batch, learning_rate)?.loss()
    }

    /// Starts a step.
    ///
    /// # Errors
    /// Returns an error if network or loss fail, or where values are not read late, if one is not finite.
    pub(crate) fn start_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<StartedStep> {
        forget_gradients(&self.store)?;
        let loss = self.loss_of(&self.forward(batch, true)?, batch)?;
        if self.reads_late() {
            return self.change_parameters(&loss, learning_rate).map(StartedStep::UnderWay);
        }
        self.read_and_change_parameters(&loss, learning_rate).map(StartedStep::Done)
    }

    /// Decides on the device whether loss and gradients are finite; where they are not, nothing changes.
    fn change_parameters(&mut self, loss: &Tensor, learning_rate: f64) -> Result<ReadLater> {
        loss.f_backward()?;
        let norm = clip_on_device(&self.store, self.trainer.blueprint.gradient_clipping)?;
        let values = Tensor::f_stack(&[loss.detach().f_to_kind(Kind::Float)?, norm], 0)?;
        let skip = values.f_isfinite()?.f_all()?.f_logical_not()?.f_to_kind(Kind::Float)?;
        self.optimizer.step_unless(&self.store, learning_rate, Some(&skip))?;
        Ok(ReadLater::new(&values)?)
    }

    fn read_and_change_parameters(&mut self, loss: &Tensor, learning_rate: f64) -> Result<f64> {
        let value = f64::try_from(loss.detach().f_to_kind(Kind::Double)?)?;
        if !value.is_finite() {
            return Err(Error::NotFinite(format!("training loss {value}")));
        }
        self.backward(loss)?;
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
}
