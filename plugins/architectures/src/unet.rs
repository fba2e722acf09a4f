//! The U-Net that all architectures here are: encoder stages, skip connections, decoder levels with an output each
//! (Ronneberger et al. 2015). Architectures differ in the layers they put into it.

use std::fmt::Debug;

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Error, Network, Result};

use crate::layers::{Convolution, Upsampling, is_summed};

/// A layer or a block of layers.
pub(crate) trait Layer: Debug + Send {
    /// # Shapes
    /// (batch, features, space...) to (batch, features of its own, space of its own...).
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor>;

    /// Of two tensors whose features are concatenated.
    fn forward_joined(&self, parts: [&Tensor; 2], training: bool) -> Result<Tensor> {
        self.forward(&Tensor::f_cat(&parts, 1)?, training)
    }

    /// As [`nnunet_plugin_api::Layer::supports_half_precision`]; the built-in layers do.
    fn supports_half_precision(&self) -> bool {
        true
    }
}

impl Layer for Convolution {
    fn forward(&self, x: &Tensor, _training: bool) -> Result<Tensor> {
        Convolution::forward(self, x)
    }
}

/// Consecutive layers.
pub(crate) type Layers = Vec<Box<dyn Layer>>;

/// Puts layers of one type into a list.
pub(crate) fn layers<T: Layer + 'static>(all: Vec<T>) -> Layers {
    all.into_iter().map(|layer| Box::new(layer) as Box<dyn Layer>).collect()
}

/// One resolution of the decoder.
#[derive(Debug)]
pub(crate) struct DecoderLevel {
    /// From the resolution below.
    pub(crate) up: Upsampling,
    /// After the concatenation with the skip connection.
    pub(crate) layers: Layers,
    /// Logits.
    pub(crate) output: Box<dyn Layer>,
}

/// A U-Net.
#[derive(Debug)]
pub(crate) struct Unet {
    /// Stages, the highest resolution first.
    pub(crate) encoder: Vec<Layers>,
    /// Applied to the skip connections, the highest resolution first; empty where they are used as they are.
    pub(crate) skips: Layers,
    /// Levels, the lowest resolution first; one less than stages.
    pub(crate) decoder: Vec<DecoderLevel>,
    pub(crate) training: bool,
}

impl Unet {
    pub(crate) fn new(encoder: Vec<Layers>, decoder: Vec<DecoderLevel>) -> Self {
        Self { encoder, skips: Layers::new(), decoder, training: false }
    }

    fn run(&self, layers: &[Box<dyn Layer>], x: Tensor) -> Result<Tensor> {
        layers.iter().try_fold(x, |x, layer| layer.forward(&x, self.training))
    }

    /// The output of every stage.
    fn encoded(&self, input: &Tensor) -> Result<Vec<Tensor>> {
        let mut x = input.shallow_clone();
        let mut outputs = Vec::new();
        for stage in &self.encoder {
            x = self.run(stage, x)?;
            outputs.push(x.shallow_clone());
        }
        Ok(outputs)
    }
}

impl Network for Unet {
    fn set_training(&mut self, training: bool) -> Result<()> {
        self.training = training;
        Ok(())
    }

    fn supports_half_precision(&self) -> bool {
        let blocks = self.encoder.iter().chain(self.decoder.iter().map(|level| &level.layers));
        blocks.flatten().all(|layer| layer.supports_half_precision())
    }

    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let too_few = || Error::message("the encoder has fewer stages than the decoder has levels");
        let mut stages = self.encoded(input)?;
        for (skip, layer) in stages.iter_mut().zip(&self.skips) {
            *skip = layer.forward(skip, self.training)?;
        }
        let mut x = stages.pop().ok_or_else(too_few)?;
        let mut outputs = Vec::new();
        for (i, level) in self.decoder.iter().enumerate() {
            let skip = stages.pop().ok_or_else(too_few)?;
            let up = level.up.forward(&x)?;
            x = match level.layers.split_first() {
                Some((first, rest)) if is_summed(&up) => {
                    let x = first.forward_joined([&up, &skip], self.training)?;
                    drop((up, skip));
                    self.run(rest, x)?
                }
                _ => {
                    let joined = Tensor::f_cat(&[&up, &skip], 1)?;
                    drop((up, skip));
                    self.run(&level.layers, joined)?
                }
            };
            if deep_supervision || i + 1 == self.decoder.len() {
                outputs.push(level.output.forward(&x, self.training)?);
            }
        }
        outputs.reverse();
        Ok(outputs)
    }
}
