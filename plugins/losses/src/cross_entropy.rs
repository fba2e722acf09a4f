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

/// Negative log-likelihood of the target labels.
///
/// # Shapes
/// `log_probabilities` (batch, classes, space...), `target` (batch, 1, space...) int64.
pub(crate) fn voxelwise(
    log_probabilities: &Tensor,
    target: &Tensor,
    config: &CrossEntropyConfig,
    reduction: Reduction,
) -> Result<Tensor> {
    let labels = target.f_select(1, 0)?;
    let (device, kind) = (log_probabilities.device(), log_probabilities.kind());
    let weight = config
        .weight
        .as_ref()
        .map(|weight| Tensor::f_from_slice(weight)?.f_to_device(device)?.f_to_kind(kind));
    let ignored = config.ignore_index.unwrap_or(NO_LABEL);
    Ok(log_probabilities.f_nll_loss_nd(&labels, weight.transpose()?.as_ref(), reduction, ignored)?)
}
