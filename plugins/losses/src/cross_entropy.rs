//! Cross entropy over voxels (v1 `RobustCrossEntropyLoss`).

use crate::precision::log_softmax;
use nnunet_plugin_api::tch::{Reduction, Tensor};
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Label that torch ignores by default: none that occurs.
const NO_LABEL: i64 = -100;

/// Parameters of [`CrossEntropy`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropyConfig {
    /// Weights of the classes; all alike by default.
    pub weight: Option<Vec<f32>>,
    /// Voxels with this label are ignored.
    pub ignore_index: Option<i64>,
}

/// Mean cross entropy of all voxels and classes.
#[derive(Debug, Clone, Default)]
pub struct CrossEntropy {
    config: CrossEntropyConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "RobustCrossEntropyLoss", "Mean cross entropy over all voxels.");
    Component::loss(info.with_config::<CrossEntropyConfig>(), |config| {
        Ok(Box::new(CrossEntropy { config: parse_config(config)? }))
    })
}));

impl Loss for CrossEntropy {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_probabilities = log_softmax(logits)?;
        voxelwise(&log_probabilities, target, &self.config, Reduction::Mean)
    }
}

/// Negative log-likelihood of the target labels, or cross entropy with soft ones.
///
/// # Shapes
/// `log_probabilities` (batch, classes, space...), `target` (batch, 1, space...) int64 or (batch, classes, space...) float.
pub(crate) fn voxelwise(
    log_probabilities: &Tensor,
    target: &Tensor,
    config: &CrossEntropyConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    if target.is_floating_point() && target.size() == log_probabilities.size() {
        return soft(log_probabilities, target, config, reduction);
    }
    let labels = target.f_select(1, 0)?;
    let (device, kind) = (log_probabilities.device(), log_probabilities.kind());
    let weight = config
        .weight
        .as_ref()
        .map(|weight| Tensor::f_from_slice(weight)?.f_to_device(device)?.f_to_kind(kind));
    let ignored = config.ignore_index.unwrap_or(NO_LABEL);
    Ok(log_probabilities.f_nll_loss_nd(&labels, weight.transpose()?.as_ref(), reduction, ignored)?)
}

/// Cross entropy with a distribution of classes for each voxel, as torch computes it: the mean is over voxels, whatever
/// the weights.
fn soft(
    log_probabilities: &Tensor,
    target: &Tensor,
    config: &CrossEntropyConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let mut each = log_probabilities.f_mul(target)?;
    if let Some(weight) = &config.weight {
        let mut shape = vec![1; each.dim()];
        shape[1] = weight.len() as i64;
        let weight = Tensor::f_from_slice(weight)?.f_to_device(each.device())?.f_reshape(&shape)?;
        each = each.f_mul(&weight)?;
    }
    let voxels = each.f_sum_dim_intlist([1_i64].as_slice(), false, each.kind())?.f_neg()?;
    Ok(match reduction {
        Reduction::None => voxels,
        Reduction::Sum => voxels.f_sum(voxels.kind())?,
        _ => voxels.f_mean(voxels.kind())?,
    })
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::tch::{Device, Kind as Element};

    use super::*;

    #[test]
    fn soft_labels_that_are_certain_are_labels_and_mixed_ones_mix_the_losses() {
        let logits = Tensor::randn([2, 3, 4, 4], (Element::Double, Device::Cpu));
        let labels = |from: i64| {
            let numbers = Tensor::arange(32, (Element::Int64, Device::Cpu)) + from;
            numbers.remainder(3).reshape([2, 1, 4, 4])
        };
        let certain = |labels: &Tensor| {
            let zeros = Tensor::zeros([2, 3, 4, 4], (Element::Double, Device::Cpu));
            zeros.scatter_value(1, labels, 1.0)
        };
        let loss = CrossEntropy::default();
        let value = |target: &Tensor| f64::try_from(loss.forward(&logits, target).unwrap()).unwrap();
        let [a, b] = [labels(0), labels(1)];
        assert!((value(&a) - value(&certain(&a))).abs() < 1e-12);
        let mixed = certain(&a) * 0.25 + certain(&b) * 0.75;
        assert!((value(&mixed) - (0.25 * value(&a) + 0.75 * value(&b))).abs() < 1e-12);
    }
}
