//! A training step that has been started.

use nnunet_torch_ops::ReadLater;

/// A step that has been started. On a GPU its kernels may still be running.
pub(crate) enum StartedStep {
    /// Its loss is known.
    Done(f64),
    /// Its loss, and a norm of the gradients for each optimizer step, are on their way from the device.
    UnderWay(ReadLater),
}
