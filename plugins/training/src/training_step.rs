//! One training step (v1 `nnUNetTrainerV2.run_iteration`).

use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Batch, Error, Result};
use nnunet_torch_ops::ReadLater;

use crate::gradients::{
    clip_gradients, clip_on_device, forget_gradients, unscale_gradients, unscale_on_device,
};
use crate::hosted::Place;
use crate::scaler::DeviceLossScaler;
use crate::started_step::StartedStep;
use crate::state::Engine;
use crate::with_ranks;

impl Engine {
    /// Whether steps are started before the values of the one before are read.
    pub(crate) fn reads_late(&self) -> bool {
        self.store.device() != Device::Cpu
    }

    /// The scale of the loss as steps need it that are read late; none in other formats than half precision.
    pub(crate) fn device_scaler(&self) -> Result<Option<DeviceLossScaler>> {
        let scaler = self.scaler.as_ref().filter(|_| self.reads_late());
        scaler.map(|scaler| DeviceLossScaler::new(scaler, self.store.device())).transpose()
    }

    /// One step, the trainer's own if it has one; returns the loss. In half precision a step whose gradients overflow changes nothing but the
    /// loss scale.
    ///
    /// # Errors
    /// Returns an error if the loss or a gradient is not finite, or if network or loss fail.
    pub fn train_step(&mut self, batch: &Batch, learning_rate: f64) -> Result<f64> {
        let scaler = self.device_scaler()?;
        let scaler = scaler.as_ref();
        let own = self.own_step(batch, Place { learning_rate, scaler, ..Place::default() })?;
        let started = own.map_or_else(|| self.start_step(batch, learning_rate, scaler), Ok)?;
        self.finish_step(started)
    }

    /// Starts a step.
    ///
    /// # Errors
    /// Returns an error if network or loss fail, or where values are not read late, if one is not finite.
    pub(crate) fn start_step(
        &mut self,
        batch: &Batch,
        learning_rate: f64,
        scaler: Option<&DeviceLossScaler>,
    ) -> Result<StartedStep> {
        if self.reads_late() {
            let values = self.step_on_device(batch, learning_rate, scaler)?;
            return Ok(StartedStep::UnderWay(ReadLater::new(&values)?));
        }
        forget_gradients(&self.store)?;
        let outputs = self.forward(batch, true)?;
        let loss = self.loss_of(&outputs, batch)?;
        self.keep_sample_losses(&outputs, batch)?;
        drop(outputs);
        self.read_and_change_parameters(&loss, learning_rate).map(StartedStep::Done)
    }

    /// The loss of a step; waits for its kernels. The scale of the loss follows what has happened on the device.
    ///
    /// # Errors
    /// Returns an error if the loss or a gradient is not finite. The step has then changed nothing.
    pub(crate) fn finish_step(&mut self, step: StartedStep) -> Result<f64> {
        let values = match step {
            StartedStep::Done(loss) => return Ok(loss),
            StartedStep::UnderWay(values) => values.read()?,
        };
        let [loss, norms @ ..] = &values[..] else { return Err(Error::message("a step has a loss")) };
        if !loss.is_finite() {
            return Err(Error::NotFinite(format!("training loss {loss}")));
        }
        for norm in norms {
            match &mut self.scaler {
                Some(scaler) => scaler.update(!norm.is_finite()),
                None if !norm.is_finite() => return Err(Error::NotFinite(format!("gradient norm {norm}"))),
                None => {}
            }
        }
        Ok(*loss)
    }

    /// A step without a wait; returns loss and norm of the gradients. The device decides whether they are finite; where they
    /// are not, nothing changes but the scale of the loss.
    ///
    /// # Errors
    /// Returns an error if network or loss fail.
    pub(crate) fn step_on_device(
        &mut self,
        batch: &Batch,
        learning_rate: f64,
        scaler: Option<&DeviceLossScaler>,
    ) -> Result<Tensor> {
        forget_gradients(&self.store)?;
        let outputs = self.forward(batch, true)?;
        let loss = self.loss_of(&outputs, batch)?;
        self.keep_sample_losses(&outputs, batch)?;
        drop(outputs);
        match scaler {
            Some(scaler) => {
                with_ranks::backward(&loss.f_mul(&scaler.scale)?)?;
                unscale_on_device(&self.store, &scaler.scale)?;
            }
            None => with_ranks::backward(&loss)?,
        }
        let norm = clip_on_device(&self.store, self.trainer.blueprint.gradient_clipping)?;
        let values = Tensor::f_stack(&[with_ranks::mean_loss(&loss)?.f_to_kind(Kind::Float)?, norm], 0)?;
        let skip = values.f_isfinite()?.f_all()?.f_logical_not()?.f_to_kind(Kind::Float)?;
        self.optimizer.step_unless(&self.store, learning_rate, Some(&skip))?;
        if let Some(scaler) = scaler {
            scaler.update(&skip)?;
        }
        Ok(values)
    }

    fn read_and_change_parameters(&mut self, loss: &Tensor, learning_rate: f64) -> Result<f64> {
        let value = self.read_finite(loss)?;
        self.backward(loss)?;
        if let Some(scaler) = &self.scaler {
            unscale_gradients(&self.store, scaler.scale)?;
        }
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

    /// The value of a loss.
    ///
    /// # Errors
    /// Returns an error if it is not finite.
    pub(crate) fn read_finite(&self, loss: &Tensor) -> Result<f64> {
        let value = f64::try_from(with_ranks::mean_loss(loss)?.f_to_kind(Kind::Double)?)?;
        if value.is_finite() { Ok(value) } else { Err(Error::NotFinite(format!("training loss {value}"))) }
    }

    /// The gradients of a loss, scaled in half precision.
    pub(crate) fn backward(&self, loss: &Tensor) -> Result<()> {
        match &self.scaler {
            Some(scaler) => with_ranks::backward(&loss.f_mul_scalar(scaler.scale)?),
            None => with_ranks::backward(loss),
        }
    }
}
