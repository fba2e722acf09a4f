//! The decoder: transposed convolutions, blocks, and an output on every level but the lowest.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use super::block::{Block, BlockShape, stack};
use super::config::{BlockKind, Layout, ModularConfig};
use crate::layers::{Convolution, ConvolutionShape, Upsampling};
use crate::norm::{NormInput, Normalization};
use crate::unet::{DecoderLevel, Layer, layers};

/// Builds the levels, the lowest resolution first, in the order of v1's state dict: the output of the full resolution
/// comes first.
pub(super) fn build(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Vec<DecoderLevel>> {
    let levels = layout.features.len() - 1;
    let last = Output::last(vars, layout)?;
    let stage_of = |i: usize| levels - 1 - i;
    let ups =
        (0..levels).map(|i| upsampling(vars, layout, i, stage_of(i))).collect::<Result<Vec<Upsampling>>>()?;
    let stages =
        (0..levels).map(|i| stage(vars, layout, i, stage_of(i))).collect::<Result<Vec<Vec<Block>>>>()?;
    let lower = (0..levels - 1).map(|i| Output::of_level(vars, layout, i, stage_of(i)));
    let mut outputs = lower.collect::<Result<Vec<Output>>>()?;
    outputs.push(last);
    let level =
        |((up, blocks), output)| DecoderLevel { up, layers: layers(blocks), output: Box::new(output) };
    Ok(ups.into_iter().zip(stages).zip(outputs).map(level).collect())
}

/// Logits of a level; with pre-activation blocks norm and nonlinearity come first.
#[derive(Debug)]
struct Output {
    norm: Option<Normalization>,
    convolution: Convolution,
    slope: f64,
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

impl Output {
    fn last(vars: &mut dyn VarFactory, layout: &Layout) -> Result<Self> {
        let name = "decoder.segmentation_output";
        if layout.family.decoder() != BlockKind::PreAct {
            return Self::new(vars, layout, 0, None, name);
        }
        let first = "decoder.segmentation_conv_norm";
        let norm = normalization(vars, layout, 0, first)?;
        norm.second_name(vars, &format!("{name}.0"), first)?;
        Self::new(vars, layout, 0, Some(norm), &format!("{name}.2"))
    }

    fn of_level(vars: &mut dyn VarFactory, layout: &Layout, i: usize, stage: usize) -> Result<Self> {
        let name = format!("decoder.deep_supervision_outputs.{i}");
        if layout.family.decoder() != BlockKind::PreAct {
            return Self::new(vars, layout, stage, None, &name);
        }
        let norm = normalization(vars, layout, stage, &format!("{name}.0"))?;
        Self::new(vars, layout, stage, Some(norm), &format!("{name}.2"))
    }

    fn new(
        vars: &mut dyn VarFactory,
        layout: &Layout,
        stage: usize,
        norm: Option<Normalization>,
        name: &str,
    ) -> Result<Self> {
        let one = vec![1; layout.axes()];
        let (input, output) = (layout.features[stage], layout.classes);
        let shape = ConvolutionShape { input, output, kernel: &one, stride: &one, bias: true };
        let convolution = Convolution::new(vars, name, &shape, layout.config.init_slope)?;
        Ok(Self { norm, convolution, slope: layout.config.negative_slope })
    }
}

impl Layer for Output {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        match &self.norm {
            Some(norm) => {
                self.convolution.forward(&norm.activated(NormInput::shared(x), training, self.slope)?)
            }
            None => self.convolution.forward(x),
        }
    }
}

fn normalization(
    vars: &mut dyn VarFactory,
    layout: &Layout,
    stage: usize,
    name: &str,
) -> Result<Normalization> {
    Normalization::of_features(vars, name, layout.config.norm, (layout.features[stage], layout.axes()))
}
