//! Deep supervision: the loss of several resolutions (v1 `MultipleOutputLoss2`).

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Error, Loss, Result};

/// Weights of the outputs, full resolution first: halved at every level, sum one. The lowest is off unless `lowest`.
#[must_use]
pub fn deep_supervision_weights(outputs: usize, lowest: bool) -> Vec<f64> {
    let mut weights: Vec<f64> = (0..outputs).map(|level| 0.5_f64.powi(level as i32)).collect();
    if outputs > 1 && !lowest {
        weights[outputs - 1] = 0.0;
    }
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Weighted sum of the losses of all outputs; those of weight 0 are not evaluated.
///
/// # Errors
/// Returns an error if there are fewer targets or weights than outputs, or the error of the loss.
pub fn deep_supervision_loss(
    loss: &dyn Loss,
    outputs: &[Tensor],
    targets: &[Tensor],
    weights: &[f64],
) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for ((output, target), weight) in
        outputs.iter().zip(targets).zip(weights).filter(|(_, weight)| **weight != 0.0)
    {
        let part = loss.forward(output, target)? * *weight;
        total = Some(match total {
            Some(sum) => sum.f_add(&part)?,
            None => part,
        });
    }
    total.ok_or_else(|| Error::message("no output takes part in the loss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_agree_with_v1() {
        for (lowest, expected) in
            [(false, [0.5714, 0.2857, 0.1429, 0.0]), (true, [0.5333, 0.2667, 0.1333, 0.0667])]
        {
            let weights = deep_supervision_weights(4, lowest);
            assert!(weights.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{weights:?}");
        }
        assert_eq!(deep_supervision_weights(1, false), [1.0]);
    }
}
