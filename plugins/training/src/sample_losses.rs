//! The losses of single samples, for samplers that learn from them.

use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{Batch, Result, SampleLoss};

use crate::batch_on_device::OnDevice;
use crate::state::Engine;

/// Losses of the samples of an epoch so far. On a GPU they are read when the epoch is over.
#[derive(Debug, Default)]
pub(crate) struct SampleLosses {
    /// Of every step: names of cases, and the losses of all of them, or one of the whole batch.
    steps: Vec<(Vec<String>, Tensor)>,
    /// The losses of a step of the trainer's own are kept.
    is_waiting: bool,
}

impl SampleLosses {
    /// Whether losses were waited for, which they no longer are.
    fn was_waiting(&mut self) -> bool {
        std::mem::take(&mut self.is_waiting)
    }

    /// Takes out all that was kept. Losses that are no numbers are left out.
    fn take(&mut self) -> Result<Vec<SampleLoss>> {
        let mut all = Vec::new();
        for (cases, losses) in std::mem::take(&mut self.steps) {
            let losses = Vec::<f64>::try_from(losses.f_to_kind(Kind::Double)?.f_reshape([-1])?)?;
            let of = |(index, case): (usize, String)| {
                Some(SampleLoss { case, loss: *losses.get(index).or_else(|| losses.first())? })
            };
            all.extend(cases.into_iter().enumerate().filter_map(of).filter(|sample| sample.loss.is_finite()));
        }
        Ok(all)
    }
}

impl Engine {
    /// Keeps the losses of a batch's samples for a sampler that learns.
    pub(crate) fn keep_sample_losses(&self, outputs: &[Tensor], batch: &Batch) -> Result<()> {
        if !self.sampler.learns() {
            return Ok(());
        }
        let samples = batch.data.size().first().copied().unwrap_or_default();
        let losses = no_grad(|| {
            let of = |index: i64| -> Result<Tensor> {
                let outputs = outputs.iter().map(|output| Ok(output.f_narrow(0, index, 1)?));
                self.loss_of(&outputs.collect::<Result<Vec<_>>>()?, &batch.sample(index as usize)?)
            };
            (0..samples).map(of).collect::<Result<Vec<_>>>()
        })?;
        let losses: Vec<Tensor> = losses.iter().map(Tensor::detach).collect();
        self.sampler.losses().steps.push((batch.cases.clone(), Tensor::f_stack(&losses, 0)?));
        Ok(())
    }

    /// A step of the trainer's own begins: its first loss is kept.
    pub(crate) fn await_sample_losses(&self) {
        self.sampler.losses().is_waiting = self.sampler.learns();
    }

    /// As [`Engine::keep_sample_losses`], for the first loss of a step of the trainer's own.
    pub(crate) fn keep_awaited_losses(&self, outputs: &[Tensor], batch: &Batch) -> Result<()> {
        if self.sampler.losses().was_waiting() {
            self.keep_sample_losses(outputs, batch)?;
        }
        Ok(())
    }

    /// The trainer has no step of its own.
    pub(crate) fn forget_awaited_losses(&self) {
        self.sampler.losses().is_waiting = false;
    }

    /// The end of such a step: if it asked for no loss, every sample has that of the batch.
    pub(crate) fn keep_loss_of_batch(&self, loss: &Tensor, batch: &Batch) {
        if self.sampler.losses().was_waiting() {
            self.sampler.losses().steps.push((batch.cases.clone(), loss.detach()));
        }
    }

    /// Forgets the losses of an epoch that was not finished.
    pub(crate) fn forget_sample_losses(&self) {
        *self.sampler.losses() = SampleLosses::default();
    }

    /// Tells the sampler the losses of the epoch.
    pub(crate) fn tell_sampler(&self) -> Result<()> {
        if !self.sampler.learns() {
            return Ok(());
        }
        let losses = self.sampler.losses().take()?;
        self.sampler.observe(&losses)
    }
}
