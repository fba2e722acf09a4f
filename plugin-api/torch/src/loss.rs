//! Losses: they compare one output of the network with its target. The training engine applies them to every resolution
//! of deep supervision.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::Result;

/// Compares logits with labels. With deep supervision it is called once for every resolution.
///
/// ```no_run
/// use nnunet_plugin_api::tch::{Reduction, Tensor};
/// use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory};
///
/// /// Cross entropy.
/// struct CrossEntropy;
///
/// impl Loss for CrossEntropy {
///     fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
///         let labels = target.f_select(1, 0)?;
///         Ok(logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::Mean, -100, 0.0)?)
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Loss, "CrossEntropy", "Cross entropy of all classes.");
///     Component::loss(info, |_config| Ok(Box::new(CrossEntropy)))
/// }));
/// ```
///
/// Errors of tch become errors of the component with `?`, so use the functions of tch whose names begin with `f_`: the
/// others panic.
pub trait Loss: Send {
    /// The value of the loss: a finite scalar (no axes, or one value) that depends on `logits`, on the same device.
    ///
    /// # Shapes
    /// `logits`: (batch, classes, space...), float, before softmax. `target`: (batch, 1, space...), int64 label
    /// values; for models of regions (batch, regions, space...), float, 0 or 1. `space` is (z, y, x) or (y, x).
    ///
    /// # Errors
    /// Returns an error if the shapes do not fit.
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor>;

    /// Called before every epoch, which count from 0, for losses that change during training.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::tch::{Reduction, Tensor};
    /// use nnunet_plugin_api::{Loss, Result};
    ///
    /// /// Cross entropy whose weight increases over the first 50 epochs.
    /// struct WarmUp { weight: f64 }
    ///
    /// impl Loss for WarmUp {
    ///     fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    ///         let labels = target.f_select(1, 0)?;
    ///         let loss = logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::Mean, -100, 0.0)?;
    ///         Ok(loss.f_mul_scalar(self.weight)?)
    ///     }
    ///
    ///     fn epoch_begins(&mut self, epoch: usize) -> Result<()> {
    ///         self.weight = (epoch as f64 / 50.0).min(1.0);
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn epoch_begins(&mut self, _epoch: usize) -> Result<()> {
        Ok(())
    }
}

/// What a trainer may need to create a loss ([`Trainer::loss`](crate::Trainer::loss)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossContext {
    /// Output channels, background included.
    pub num_classes: usize,
    /// Compute one Dice for the whole batch (`batch_dice` of v1) instead of one for each sample.
    pub batch_dice: bool,
}
