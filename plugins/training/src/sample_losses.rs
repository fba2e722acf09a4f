//! The losses of single samples, for samplers that learn from them.

use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Batch, Result, SampleLoss};

/// Losses of the samples of an epoch so far. On a GPU they are read when the epoch is over.
#[derive(Debug, Default)]
pub(crate) struct SampleLosses {
    /// Of every step: names of cases, and the losses of all of them, or one of the whole batch.
    steps: Vec<(Vec<String>, Tensor)>,
    /// The losses of a step of the trainer's own are kept.
    is_waiting: bool,
}

impl SampleLosses {
    /// Keeps the losses of a batch, or the one of the whole batch.
    pub(crate) fn keep(&mut self, batch: &Batch, losses: Tensor) {
        self.steps.push((batch.cases.clone(), losses));
    }

    /// Whether the losses of the next step are kept when they are computed.
    pub(crate) fn wait(&mut self, waits: bool) {
        self.is_waiting = waits;
    }

    /// Whether losses were waited for, which they no longer are.
    pub(crate) fn was_waiting(&mut self) -> bool {
        std::mem::take(&mut self.is_waiting)
    }

    /// Takes out all that was kept, with the number of the step. Losses that are no numbers are left out.
    pub(crate) fn take(&mut self) -> Result<Vec<(usize, SampleLoss)>> {
        let mut all = Vec::new();
        for (step, (cases, losses)) in std::mem::take(&mut self.steps).into_iter().enumerate() {
            let losses = Vec::<f64>::try_from(losses.f_to_kind(Kind::Double)?.f_reshape([-1])?)?;
            let of = |(index, case): (usize, String)| {
                Some(SampleLoss { case, loss: *losses.get(index).or_else(|| losses.first())? })
            };
            let samples = cases.into_iter().enumerate().filter_map(of);
            all.extend(samples.filter(|sample| sample.loss.is_finite()).map(|sample| (step, sample)));
        }
        Ok(all)
    }
}
