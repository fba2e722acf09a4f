//! Encoder and decoder together.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use super::config::{BlockKind, Layout};
use super::{decoder, encoder};
use crate::norm::{NormInput, Normalization};
use crate::unet::{Layer, Unet, layers};

/// Builds the network; the order of the calls is the order of v1's state dict.
pub(super) fn build(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Unet> {
    let encoder = encoder::build(vars, layout)?;
    let decoder = decoder::build(vars, layout)?;
    let skips = layers(skip_norms(vars, layout)?);
    Ok(Unet { skips, ..Unet::new(encoder, decoder) })
}

/// Normalization and rectifier of the skip connections from a pre-activation encoder to a plain decoder.
fn skip_norms(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Vec<NormAndRectifier>> {
    let is_bare = layout.family.encoder() == BlockKind::PreAct && layout.family.decoder() == BlockKind::Plain;
    let count = if is_bare { layout.features.len() - 1 } else { 0 };
    let slope = layout.config.negative_slope;
    (0..count)
        .map(|i| {
            let features = (layout.features[i], layout.axes());
            let name = format!("norm_nonlins.{i}.0");
            let norm = Normalization::of_features(vars, &name, layout.config.norm, features)?;
            Ok(NormAndRectifier { norm, slope })
        })
        .collect()
}

#[derive(Debug)]
struct NormAndRectifier {
    norm: Normalization,
    slope: f64,
}

impl Layer for NormAndRectifier {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        self.norm.activated(NormInput::shared(x), training, self.slope)
    }
}
