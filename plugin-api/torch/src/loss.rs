//! Losses: they compare one output of the network with its target. The training engine applies them to every resolution
//! of deep supervision.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{Config, Result, VarFactory};

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

    /// The loss of a whole batch, for losses that look at more than one output and its target. `None`: the weighted sum of
    /// [`Loss::forward`] over the resolutions. A loss always answers the same way.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::tch::{Reduction, Tensor};
    /// use nnunet_plugin_api::{Loss, LossInput, Result};
    ///
    /// /// Cross entropy of the highest resolution alone, where the image is bright.
    /// struct Bright;
    ///
    /// impl Loss for Bright {
    ///     fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    ///         let labels = target.f_select(1, 0)?;
    ///         Ok(logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::None, -100, 0.0)?)
    ///     }
    ///
    ///     fn of_batch(&self, input: &LossInput<'_>) -> Result<Option<Tensor>> {
    ///         let each = self.forward(&input.outputs[0], &input.targets[0])?;
    ///         let bright = input.data.f_select(1, 0)?.f_gt(0.0)?;
    ///         Ok(Some(each.f_mul(&bright)?.f_mean(each.kind())?))
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error if the shapes do not fit.
    fn of_batch(&self, _input: &LossInput<'_>) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Creates the loss's own parameters, which are trained with the network's and kept in checkpoints. Called once, after the
    /// network has been built.
    ///
    /// # Errors
    /// Returns an error if a parameter cannot be made.
    fn parameters(&mut self, _vars: &mut dyn VarFactory) -> Result<()> {
        Ok(())
    }
}

/// All that a loss may look at. See [`Loss::of_batch`].
#[derive(Debug, Clone, Copy)]
pub struct LossInput<'a> {
    /// Logits of all resolutions, full resolution first.
    pub outputs: &'a [Tensor],
    /// Their targets.
    pub targets: &'a [Tensor],
    /// Weights of the resolutions.
    pub weights: &'a [f64],
    /// The images.
    pub data: &'a Tensor,
    /// Case of each sample.
    pub cases: &'a [String],
    /// What is known of these cases: see [`Training::case_properties`](crate::Training::case_properties).
    pub properties: &'a [Config],
    /// The epoch, from 0.
    pub epoch: usize,
}

/// What a trainer may need to create a loss ([`Trainer::loss`](crate::Trainer::loss)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossContext {
    /// Output channels, background included.
    pub num_classes: usize,
    /// Compute one Dice for the whole batch (`batch_dice` of v1) instead of one for each sample.
    pub batch_dice: bool,
}
