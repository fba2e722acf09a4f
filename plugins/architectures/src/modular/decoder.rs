//! The decoder: transposed convolutions, blocks, and an output on every level but the lowest.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Error, Result, VarFactory};

use super::block::{Block, BlockShape, stack};
use super::config::{BlockKind, Layout, ModularConfig};
use crate::layers::{Convolution, ConvolutionShape, Upsampling, leaky_relu};
use crate::norm::Normalisation;

#[derive(Debug)]
pub(super) struct Decoder {
    /// Lowest resolution first, as everything here.
    upsampling: Vec<Upsampling>,
    stages: Vec<Vec<Block>>,
    /// Of every level; the last one is the network's output.
    heads: Vec<Head>,
}

/// Logits of a level; with pre-activation blocks norm and nonlinearity come first.
#[derive(Debug)]
struct Head {
    norm: Option<Normalisation>,
    convolution: Convolution,
    slope: f64,
}

impl Decoder {
    /// Creates the parts in the order of v1's state dict: the output of the full resolution comes first.
    pub(super) fn new(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Self> {
        let levels = layout.features.len() - 1;
        let last = Head::last(vars, layout)?;
        let stage_of = |i: usize| levels - 1 - i;
        let upsampling =
            (0..levels).map(|i| upsampling(vars, layout, i, stage_of(i))).collect::<Result<_>>()?;
        let stages = (0..levels).map(|i| stage(vars, layout, i, stage_of(i))).collect::<Result<_>>()?;
        let lower = (0..levels - 1).map(|i| Head::of_level(vars, layout, i, stage_of(i)));
        let mut heads = lower.collect::<Result<Vec<_>>>()?;
        heads.push(last);
        Ok(Self { upsampling, stages, heads })
    }

    /// Logits, full resolution first; from the encoder's outputs, lowest resolution last.
    pub(super) fn forward(
        &self,
        mut skips: Vec<Tensor>,
        deep_supervision: bool,
        training: bool,
    ) -> Result<Vec<Tensor>> {
        let too_few = || Error::message("fewer encoder stages than decoder levels");
        let mut x = skips.pop().ok_or_else(too_few)?;
        let mut outputs = Vec::new();
        for (i, (up, stage)) in self.upsampling.iter().zip(&self.stages).enumerate() {
            x = Tensor::f_cat(&[up.forward(&x)?, skips.pop().ok_or_else(too_few)?], 1)?;
            x = stage.iter().try_fold(x, |x, block| block.forward(&x, training))?;
            if deep_supervision || i + 1 == self.upsampling.len() {
                outputs.push(self.heads[i].forward(&x, training)?);
            }
        }
        outputs.reverse();
        Ok(outputs)
    }
}

fn upsampling(vars: &mut dyn VarFactory, layout: &Layout, i: usize, stage: usize) -> Result<Upsampling> {
    let features = (layout.features[stage + 1], layout.features[stage]);
    let kernel = &layout.strides[stage + 1];
    Upsampling::new(vars, &format!("decoder.tus.{i}"), features, kernel, (layout.config.init_slope, false))
}

fn stage(vars: &mut dyn VarFactory, layout: &Layout, i: usize, stage: usize) -> Result<Vec<Block>> {
    let one = vec![1; layout.axes()];
    let output = layout.features[stage];
    let shape = BlockShape { input: 2 * output, output, kernel: &layout.kernels[stage], stride: &one };
    let kind = layout.family.decoder();
    // Plain decoders have no dropout behind another encoder, as in v1.
    let plain_behind_other = kind == BlockKind::Plain && layout.family.encoder() != BlockKind::Plain;
    let dropout = if plain_behind_other { 0.0 } else { layout.config.dropout };
    let config = ModularConfig { dropout, ..layout.config.clone() };
    stack(vars, &format!("decoder.stages.{i}"), layout.decoder_blocks[i], (kind, &config), &shape)
}

impl Head {
    fn last(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Self> {
        let name = "decoder.segmentation_output";
        if layout.family.decoder() != BlockKind::PreAct {
            return Self::new(vars, layout, 0, None, name);
        }
        let first = "decoder.segmentation_conv_norm";
        let norm = normalisation(vars, layout, 0, first)?;
        norm.second_name(vars, &format!("{name}.0"), first)?;
        Self::new(vars, layout, 0, Some(norm), &format!("{name}.2"))
    }

    fn of_level(vars: &mut dyn VarFactory, layout: &Layout, i: usize, stage: usize) -> Result<Self> {
        let name = format!("decoder.deep_supervision_outputs.{i}");
        if layout.family.decoder() != BlockKind::PreAct {
            return Self::new(vars, layout, stage, None, &name);
        }
        let norm = normalisation(vars, layout, stage, &format!("{name}.0"))?;
        Self::new(vars, layout, stage, Some(norm), &format!("{name}.2"))
    }

    fn new(
        vars: &mut dyn VarFactory,
        layout: &Layout,
        stage: usize,
        norm: Option<Normalisation>,
        name: &str,
    ) -> Result<Self> {
        let one = vec![1; layout.axes()];
        let (input, output) = (layout.features[stage], layout.classes);
        let shape = ConvolutionShape { input, output, kernel: &one, stride: &one, bias: true };
        let convolution = Convolution::new(vars, name, &shape, layout.config.init_slope)?;
        Ok(Self { norm, convolution, slope: layout.config.negative_slope })
    }

    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        match &self.norm {
            Some(norm) => {
                let mut x = norm.forward(x.shallow_clone(), training)?;
                self.convolution.forward(&leaky_relu(&mut x, self.slope)?)
            }
            None => self.convolution.forward(x),
        }
    }
}

fn normalisation(
    vars: &mut dyn VarFactory,
    layout: &Layout,
    stage: usize,
    name: &str,
) -> Result<Normalisation> {
    Normalisation::of_features(vars, name, layout.config.norm, (layout.features[stage], layout.axes()))
}
