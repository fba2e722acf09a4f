//! The validation steps of an epoch.

use std::collections::BTreeMap;

use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{Batch, MetricInput, Metrics, OnlineDice, Result, Tally};

use crate::batch_on_device::OnDevice;
use crate::hosted::Place;
use crate::metrics::Sums;
use crate::pool::Pools;
use crate::state::Engine;
use crate::with_ranks;

/// What an epoch's validation found.
pub(crate) struct Validated {
    pub(crate) loss: f64,
    /// By foreground class that occurred, with its number.
    pub(crate) dice: Vec<(usize, f64)>,
    /// Metrics of the blueprint and of the trainers.
    pub(crate) metrics: Metrics,
}

impl Engine {
    /// Mean loss, Dice, and what the trainers measure. Losses and counts are read at the end, all together.
    pub(crate) fn validation_steps(&mut self, pools: &mut Pools, learning_rate: f64) -> Result<Validated> {
        let checks = self.trainer.blueprint.num_val_batches_per_epoch;
        let mut evaluation = self.online_evaluation();
        let (mut losses, mut tallies) = (Vec::new(), Vec::new());
        let mut sums = self.metrics.begin();
        for step in 0..checks {
            let batch = pools.validation.next()?.on(self.store.device())?;
            let outputs = no_grad(|| self.predict(&batch))?;
            losses.push(no_grad(|| self.loss_of(&outputs, &batch))?.f_to_kind(Kind::Double)?);
            self.evaluate(&mut evaluation, &outputs[0], &batch.targets[0])?;
            no_grad(|| self.measure(&mut sums, &outputs[0], &batch))?;
            let place = Place { step, learning_rate, scaler: None };
            tallies.extend(no_grad(|| {
                self.with_trainers(place, |trainers, training| {
                    trainers.validation_step(training, &outputs, &batch)
                })
            })?);
        }
        let losses = if losses.is_empty() {
            Vec::new()
        } else {
            Vec::try_from(with_ranks::mean_loss(&Tensor::f_stack(&losses, 0)?)?)?
        };
        evaluation.add_up_over_ranks()?;
        let loss = losses.iter().sum::<f64>() / checks as f64;
        let mut metrics = self.metrics.values(sums)?;
        metrics.extend(reduced(with_ranks::all_tallies(tallies)?));
        Ok(Validated { loss, dice: evaluation.dice_by_class()?, metrics })
    }

    /// Adds a batch to the metrics.
    fn measure(&self, sums: &mut Sums, logits: &Tensor, batch: &Batch) -> Result<()> {
        let input = MetricInput {
            logits,
            target: &batch.targets[0],
            data: &batch.data,
            cases: &batch.cases,
            regions: self.online_dice() == OnlineDice::Regions,
            ignore_label: self.ignore_label,
        };
        self.metrics.add(sums, &input)
    }
}

/// Sums of all batches, divided by the counts.
fn reduced(tallies: Vec<Tally>) -> Metrics {
    let mut sums: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for Tally { name, sum, count } in tallies {
        let all = sums.entry(name).or_default();
        *all = [all[0] + sum, all[1] + count];
    }
    sums.into_iter().map(|(name, [sum, count])| (name, sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_are_added_before_they_are_divided() {
        let tallies = vec![Tally::new("a", 1.0, 1.0), Tally::new("b", 2.0, 1.0), Tally::new("a", 0.0, 3.0)];
        assert_eq!(reduced(tallies), Metrics::from([("a".to_owned(), 0.25), ("b".to_owned(), 2.0)]));
    }
}
