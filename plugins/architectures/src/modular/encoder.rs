//! The encoder: a stem, then stages of blocks whose first one has the stride.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use super::block::{Block, BlockShape, stack};
use super::config::{BlockKind, Layout};
use crate::layers::{Convolution, ConvolutionShape, leaky_relu};
use crate::norm::Normalisation;

#[derive(Debug)]
pub(super) struct Encoder {
    stem: Option<(Convolution, Option<Normalisation>)>,
    stages: Vec<Vec<Block>>,
    slope: f64,
}

impl Encoder {
    pub(super) fn new(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Self> {
        let kind = layout.family.encoder();
        let stem = stem(vars, layout, kind)?;
        let stages = (0..layout.features.len())
            .map(|s| {
                let before = if s > 0 { layout.features[s - 1] } else { layout.features[0] };
                let shape = BlockShape {
                    input: if s == 0 && stem.is_none() { layout.input } else { before },
                    output: layout.features[s],
                    kernel: &layout.kernels[s],
                    stride: &layout.strides[s],
                };
                let name = format!("encoder.stages.{s}");
                stack(vars, &name, layout.encoder_blocks[s], (kind, &layout.config), &shape)
            })
            .collect::<Result<_>>()?;
        Ok(Self { stem, stages, slope: layout.config.negative_slope })
    }

    /// The output of every stage, full resolution first.
    pub(super) fn forward(&self, input: &Tensor, training: bool) -> Result<Vec<Tensor>> {
        let mut x = self.stemmed(input, training)?;
        let mut outputs = Vec::new();
        for stage in &self.stages {
            x = stage.iter().try_fold(x, |x, block| block.forward(&x, training))?;
            outputs.push(x.shallow_clone());
        }
        Ok(outputs)
    }

    fn stemmed(&self, input: &Tensor, training: bool) -> Result<Tensor> {
        let Some((convolution, norm)) = &self.stem else { return Ok(input.shallow_clone()) };
        let x = convolution.forward(input)?;
        match norm {
            Some(norm) => leaky_relu(&mut norm.forward(x, training)?, self.slope),
            None => Ok(x),
        }
    }
}

/// A convolution of 3; norm and nonlinearity only where blocks do not start with them. Plain encoders have none.
fn stem(
    vars: &mut dyn VarFactory,
    layout: &Layout,
    kind: BlockKind,
) -> Result<Option<(Convolution, Option<Normalisation>)>> {
    if kind == BlockKind::Plain {
        return Ok(None);
    }
    let (axes, output) = (layout.axes(), layout.features[0]);
    let (three, one) = (vec![3; axes], vec![1; axes]);
    let shape = ConvolutionShape { input: layout.input, output, kernel: &three, stride: &one, bias: false };
    let slope = layout.config.init_slope;
    let convolution = Convolution::new(vars, "encoder.initial_conv", &shape, slope)?;
    let norm = (kind == BlockKind::Residual)
        .then(|| Normalisation::new(vars, "encoder.initial_norm", layout.config.norm, &shape))
        .transpose()?;
    Ok(Some((convolution, norm)))
}
