//! Batches of training.

use tch::Tensor;

/// A batch, on the network's device.
#[derive(Debug)]
pub struct Batch {
    /// Images, (batch, channels, patch...), float.
    pub data: Tensor,
    /// By resolution of deep supervision, full resolution first: (batch, 1, space...), int64; with regions
    /// (batch, regions, space...), float. A trainer may make labels soft: (batch, classes, space...), float, which
    /// `RobustCrossEntropyLoss`, `SoftDiceLoss` and `DC_and_CE_loss` accept.
    pub targets: Vec<Tensor>,
    /// Case of each sample.
    pub cases: Vec<String>,
}
