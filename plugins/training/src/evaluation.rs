//! The online evaluation: hard counts of the foreground classes over the validation batches.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind, Tensor};

/// Counts by foreground class.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineEvaluation {
    tp: Vec<f64>,
    /// fp + fn
    wrong: Vec<f64>,
}

impl OnlineEvaluation {
    /// No counts yet.
    #[must_use]
    pub fn new(num_classes: usize) -> Self {
        let zeros = vec![0.0; num_classes.saturating_sub(1)];
        Self { tp: zeros.clone(), wrong: zeros }
    }

    /// Adds a batch.
    ///
    /// # Shapes
    /// `logits` (batch, classes, space...), `target` (batch, 1, space...) int64.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn add(&mut self, logits: &Tensor, target: &Tensor) -> Result<()> {
        let (predicted, target) = (logits.f_argmax(1, false)?, target.f_select(1, 0)?);
        for (i, label) in (1..).zip(0..self.tp.len()).map(|(label, i)| (i, label)) {
            let (p, t) = (predicted.f_eq(label)?, target.f_eq(label)?);
            let count = |mask: Tensor| -> Result<f64> {
                Ok(f64::try_from(mask.f_sum(Kind::Int64)?.f_to_kind(Kind::Double)?)?)
            };
            self.tp[i] += count(p.f_logical_and(&t)?)?;
            self.wrong[i] += count(p.f_logical_xor(&t)?)?;
        }
        Ok(())
    }

    /// Dice of the classes that occurred at all.
    #[must_use]
    pub fn dice(&self) -> Vec<f64> {
        let dice = self.tp.iter().zip(&self.wrong).map(|(tp, wrong)| 2.0 * tp / (2.0 * tp + wrong));
        dice.filter(|value| !value.is_nan()).collect()
    }

    /// Mean of [`OnlineEvaluation::dice`]; NaN when there is none.
    #[must_use]
    pub fn metric(&self) -> f64 {
        let dice = self.dice();
        dice.iter().sum::<f64>() / dice.len() as f64
    }
}
