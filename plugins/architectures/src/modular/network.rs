//! Encoder and decoder together.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Network, Result, VarFactory};

use super::config::{BlockKind, Layout};
use super::decoder::Decoder;
use super::encoder::Encoder;
use crate::layers::leaky_relu;
use crate::norm::Normalisation;

#[derive(Debug)]
pub(super) struct ModularNetwork {
    encoder: Encoder,
    decoder: Decoder,
    /// Norms of the skip connections from a pre-activation encoder to a plain decoder.
    skip_norms: Vec<Normalisation>,
    slope: f64,
    training: bool,
}

impl ModularNetwork {
    pub(super) fn new(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Self> {
        let encoder = Encoder::new(vars, layout)?;
        let decoder = Decoder::new(vars, layout)?;
        let bare =
            layout.family.encoder() == BlockKind::PreAct && layout.family.decoder() == BlockKind::Plain;
        let norms = if bare { layout.features.len() - 1 } else { 0 };
        let norm = |i: usize| {
            let features = (layout.features[i], layout.axes());
            Normalisation::of_features(vars, &format!("norm_nonlins.{i}.0"), layout.config.norm, features)
        };
        let skip_norms = (0..norms).map(norm).collect::<Result<_>>()?;
        let slope = layout.config.negative_slope;
        Ok(Self { encoder, decoder, skip_norms, slope, training: false })
    }
}

impl Network for ModularNetwork {
    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let mut skips = self.encoder.forward(input, self.training)?;
        for (skip, norm) in skips.iter_mut().zip(&self.skip_norms) {
            let mut normed = norm.forward(skip.shallow_clone(), self.training)?;
            *skip = leaky_relu(&mut normed, self.slope)?;
        }
        self.decoder.forward(skips, deep_supervision, self.training)
    }

    fn set_training(&mut self, training: bool) -> Result<()> {
        self.training = training;
        Ok(())
    }

    fn supports_half_precision(&self) -> bool {
        true
    }
}
