//! Cross entropy over voxels (v1 `RobustCrossEntropyLoss`).

use nnunet_plugin_api::tch::{Reduction, Tensor};
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory};

/// Mean cross entropy of all voxels and classes.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrossEntropy;

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "RobustCrossEntropyLoss", "Mean cross entropy over all voxels.");
    Component::loss(info, |_| Ok(Box::new(CrossEntropy)))
}));

impl Loss for CrossEntropy {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_probabilities = logits.f_log_softmax(1, logits.kind())?;
        voxelwise(&log_probabilities, target, Reduction::Mean)
    }
}

/// Negative log-likelihood of the target labels.
///
/// # Shapes
/// `log_probabilities` (batch, classes, space...), `target` (batch, 1, space...) int64.
pub(crate) fn voxelwise(log_probabilities: &Tensor, target: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let labels = target.f_select(1, 0)?;
    let none: Option<&Tensor> = None;
    Ok(log_probabilities.f_nll_loss_nd(&labels, none, reduction, -100)?)
}
