//! A case of the final validation, as hooks of trainers see it.

use tch::Tensor;

use crate::Result;

/// A case that is predicted whole after the last epoch.
pub trait ValidationCase {
    /// Its name.
    fn name(&self) -> &str;

    /// The preprocessed image, (channels, z, y, x), in single precision and main memory; in a cascade with the channels of
    /// the previous stage.
    fn image(&self) -> &Tensor;

    /// The logits of the network for patches (samples, channels, z, y, x), or (samples, channels, y, x) of slices.
    ///
    /// # Errors
    /// Returns the error of the network.
    fn forward(&mut self, patches: &Tensor) -> Result<Tensor>;

    /// The scores of the whole image by the built-in inference, (classes, z, y, x): sliding window, Gaussian weights and
    /// mirroring. They are probabilities in v1 and logits in v2.
    ///
    /// # Errors
    /// Returns the error of the network, or one of memory.
    fn predict(&mut self) -> Result<Tensor>;
}
