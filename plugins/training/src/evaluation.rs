//! The online evaluation: hard counts of the foreground classes, or regions, over the validation batches.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind, Tensor};

/// Counts by foreground class or region.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineEvaluation {
    regions: bool,
    tp: Vec<f64>,
    /// fp + fn
    wrong: Vec<f64>,
}

impl OnlineEvaluation {
    /// No counts yet; `outputs` are classes, background first, or `regions`.
    #[must_use]
    pub fn new(outputs: usize, regions: bool) -> Self {
        let zeros = vec![0.0; if regions { outputs } else { outputs.saturating_sub(1) }];
        Self { regions, tp: zeros.clone(), wrong: zeros }
    }

    /// Adds a batch.
    ///
    /// # Shapes
    /// `logits` (batch, outputs, space...), `target` (batch, 1, space...) int64 or (batch, regions, space...) float.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn add(&mut self, logits: &Tensor, target: &Tensor) -> Result<()> {
        let strongest = if self.regions { None } else { Some(logits.f_argmax(1, false)?) };
        for i in 0..self.tp.len() {
            let (p, t) = match &strongest {
                Some(strongest) => {
                    let label = i as i64 + 1;
                    (strongest.f_eq(label)?, target.f_select(1, 0)?.f_eq(label)?)
                }
                // A sigmoid of more than one half.
                None => (logits.f_select(1, i as i64)?.f_gt(0.0)?, target.f_select(1, i as i64)?.f_gt(0.5)?),
            };
            self.tp[i] += count(&p.f_logical_and(&t)?)?;
            self.wrong[i] += count(&p.f_logical_xor(&t)?)?;
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

fn count(mask: &Tensor) -> Result<f64> {
    Ok(f64::try_from(mask.f_sum(Kind::Int64)?.f_to_kind(Kind::Double)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_counted_by_output() {
        let logits = Tensor::from_slice(&[1.0_f32, 1.0, -1.0, -1.0, 1.0, -1.0]).reshape([1, 2, 3]);
        let target = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0]).reshape([1, 2, 3]);
        let mut evaluation = OnlineEvaluation::new(2, true);
        evaluation.add(&logits, &target).unwrap();
        assert_eq!(evaluation.dice(), [2.0 / 3.0, 1.0]);
    }
}
