//! The encoder: a stem, then stages of blocks whose first one has the stride.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use super::block::{BlockShape, stack};
use super::config::{BlockKind, Layout};
use crate::layers::{Convolution, ConvolutionShape};
use crate::norm::Normalization;
use crate::unet::{Layer, Layers, layers};

/// Builds the stages; the stem belongs to the first.
pub(super) fn build(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Vec<Layers>> {
    let kind = layout.family.encoder();
    let stem = stem(vars, layout, kind)?;
    let mut stages = (0..layout.features.len())
        .map(|s| {
            let before = if s > 0 { layout.features[s - 1] } else { layout.features[0] };
            let shape = BlockShape {
                input: if s == 0 && stem.is_none() { layout.input } else { before },
                output: layout.features[s],
                kernel: &layout.kernels[s],
                stride: &layout.strides[s],
            };
            let name = format!("encoder.stages.{s}");
            let blocks = stack(vars, &name, layout.encoder_blocks[s], (kind, &layout.config), &shape)?;
            Ok(layers(blocks))
        })
        .collect::<Result<Vec<Layers>>>()?;
    if let (Some(stem), Some(first)) = (stem, stages.first_mut()) {
        first.insert(0, Box::new(stem));
    }
    Ok(stages)
}

/// A convolution of 3; norm and nonlinearity only where blocks do not start with them.
#[derive(Debug)]
struct Stem {
    convolution: Convolution,
    norm: Option<Normalization>,
    slope: f64,
}

impl Layer for Stem {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let x = self.convolution.forward(x)?;
        match &self.norm {
            Some(norm) => norm.activated(x.into(), training, self.slope),
            None => Ok(x),
        }
    }
}

/// Plain encoders have none.
fn stem(vars: &mut dyn VarFactory, layout: &Layout, kind: BlockKind) -> Result<Option<Stem>> {
    if kind == BlockKind::Plain {
        return Ok(None);
    }
    let (axes, output) = (layout.axes(), layout.features[0]);
    let (three, one) = (vec![3; axes], vec![1; axes]);
    let shape = ConvolutionShape { input: layout.input, output, kernel: &three, stride: &one, bias: false };
    let convolution = Convolution::new(vars, "encoder.initial_conv", &shape, layout.config.init_slope)?;
    let norm = (kind == BlockKind::Residual)
        .then(|| Normalization::new(vars, "encoder.initial_norm", layout.config.norm, &shape))
        .transpose()?;
    Ok(Some(Stem { convolution, norm, slope: layout.config.negative_slope }))
}
