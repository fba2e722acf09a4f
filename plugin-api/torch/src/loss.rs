//! Losses: one output against one target. Deep supervision is the engine's.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::Result;

/// A loss.
pub trait Loss: Send {
    /// # Shapes
    /// `logits`: (batch, classes, space...), float. `target`: (batch, 1, space...), int64 label values; for region
    /// models (batch, regions, space...), float. Returns a scalar that can be differentiated.
    ///
    /// # Errors
    /// Shapes that do not fit.
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor>;

    /// Called before every epoch (from 0), for losses that change over the training.
    ///
    /// # Errors
    /// An epoch this loss does not cover.
    fn epoch_begins(&mut self, _epoch: usize) -> Result<()> {
        Ok(())
    }
}

/// What a loss may need to know when it is made by a trainer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossContext {
    /// Output channels, background included.
    pub num_classes: usize,
    /// Soft counts are summed over the batch before the Dice.
    pub batch_dice: bool,
}
