//! What the foreground Dice of an epoch is counted of.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{OnlineDice, Result};

use crate::evaluation::OnlineEvaluation;
use crate::state::Engine;

impl Engine {
    pub(crate) fn online_dice(&self) -> OnlineDice {
        match &self.head {
            Some(head) => head.facts().dice,
            None if self.trainer.blueprint.regions.is_some() => OnlineDice::Regions,
            None => OnlineDice::Classes,
        }
    }

    /// Number of labels, or regions, that have a foreground Dice.
    #[must_use]
    pub fn dice_classes(&self) -> usize {
        match (&self.head, self.online_dice()) {
            (Some(head), _) => head.dice_classes(),
            (None, OnlineDice::Regions) => self.num_classes,
            (None, _) => self.num_classes.saturating_sub(1),
        }
    }

    /// No counts yet.
    pub(crate) fn online_evaluation(&self) -> OnlineEvaluation {
        let regions = self.online_dice() == OnlineDice::Regions;
        OnlineEvaluation::new(self.dice_classes() + usize::from(!regions), regions)
            .ignoring(self.ignore_label)
    }

    /// Counts the outputs of the full resolution.
    pub(crate) fn evaluate(
        &self,
        evaluation: &mut OnlineEvaluation,
        outputs: &Tensor,
        targets: &Tensor,
    ) -> Result<()> {
        match &self.head {
            None => evaluation.add(outputs, targets),
            Some(_) if self.online_dice() == OnlineDice::None => Ok(()),
            Some(head) => {
                let (outputs, targets) = head.of_dice(outputs, targets)?;
                evaluation.add(&outputs, &targets)
            }
        }
    }
}
