//! What an engine keeps of the losses of single samples, for samplers that learn.

use nnunet_plugin_api::tch::{Tensor, no_grad};
use nnunet_plugin_api::{Batch, Result, SampleLoss, Tally};

use crate::batch_on_device::OnDevice;
use crate::sample_losses::SampleLosses;
use crate::state::Engine;
use crate::with_ranks;

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
        let losses = Tensor::f_stack(&losses, 0)?;
        self.sampler.losses().keep(batch, losses);
        Ok(())
    }

    /// A step of the trainer's own begins: its first loss is kept.
    pub(crate) fn await_sample_losses(&self) {
        let learns = self.sampler.learns();
        self.sampler.losses().wait(learns);
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
        self.sampler.losses().wait(false);
    }

    /// The end of such a step: if it asked for no loss, every sample has that of the batch.
    pub(crate) fn keep_loss_of_batch(&self, loss: &Tensor, batch: &Batch) {
        if self.sampler.losses().was_waiting() {
            self.sampler.losses().keep(batch, loss.detach());
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
        // All processes learn the same as one process would, in the order of its batches. Names and numbers are gathered as
        // tallies, whose count is the number of the step here.
        let tallies =
            losses.into_iter().map(|(step, sample)| Tally::new(sample.case, sample.loss, step as f64));
        let mut all = with_ranks::all_tallies(tallies.collect())?;
        all.sort_by(|one, other| one.count.total_cmp(&other.count));
        let losses = all.into_iter().map(|Tally { name, sum, .. }| SampleLoss { case: name, loss: sum });
        self.sampler.observe(&losses.collect::<Vec<_>>())
    }
}
