//! A trainer whose best checkpoint is the one of highest sensitivity: how much of the foreground is found.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Batch, Component, EpochReport, Info, Kind, Metrics, Registration, Result, Tally, Trainer, TrainerState,
    Training, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Trainer, "OwnCriterion", "The best checkpoint is that of highest sensitivity.");
    Component::trainer(info, |_config| Ok(Box::new(OwnCriterion { best: None })))
}));

const METRIC: &str = "sensitivity";

struct OwnCriterion {
    best: Option<f64>,
}

impl Trainer for OwnCriterion {
    fn validation_step(
        &mut self,
        _training: &mut dyn Training,
        outputs: &[Tensor],
        batch: &Batch,
    ) -> Result<Vec<Tally>> {
        let count = |mask: Tensor| -> Result<f64> { Ok(f64::try_from(mask.f_sum(Element::Double)?)?) };
        let truth = batch.targets[0].f_gt(0)?;
        let found = outputs[0].f_argmax(1, true)?.f_gt(0)?.f_logical_and(&truth)?;
        Ok(vec![Tally::new(METRIC, count(found)?, count(truth)?)])
    }

    fn is_best(&mut self, _report: &EpochReport, metrics: &Metrics) -> Result<Option<bool>> {
        // Batches without foreground have no sensitivity.
        let now = metrics.get(METRIC).copied().filter(|value| value.is_finite());
        let better = now.is_some() && now > self.best;
        if better {
            self.best = now;
        }
        Ok(Some(better))
    }

    fn save_state(&self) -> Result<TrainerState> {
        let mut state = TrainerState::default();
        state.values.extend(self.best.map(|best| ("best".to_owned(), best.into())));
        Ok(state)
    }

    fn load_state(&mut self, state: TrainerState) -> Result<()> {
        self.best = state.values.get("best").and_then(|best| best.as_f64());
        Ok(())
    }
}
