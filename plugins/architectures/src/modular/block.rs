//! The blocks: plain, residual, pre-activation. Convolutions have no bias.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use super::config::{BlockKind, ModularConfig};
use crate::block::dropped;
use crate::layers::{Convolution, ConvolutionShape, average_pool, leaky_relu};
use crate::norm::{NormInput, Normalization};
use crate::unet::Layer;

/// Features, kernel and stride of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockShape<'a> {
    pub input: usize,
    pub output: usize,
    pub kernel: &'a [usize],
    pub stride: &'a [usize],
}

/// Convolutions, norms and the skip connection.
#[derive(Debug)]
pub(super) struct Block {
    kind: BlockKind,
    /// One or two, each with its norm.
    layers: Vec<(Convolution, Normalization)>,
    skip: Skip,
    slope: f64,
    dropout: f64,
}

/// The skip connection of a residual block.
#[derive(Debug)]
enum Skip {
    None,
    Identity,
    /// Average pooling of this stride, 1x1 convolution, norm.
    Projection {
        pool: Option<Vec<i64>>,
        convolution: Box<Convolution>,
        norm: Option<Normalization>,
    },
}

/// Consecutive blocks `{name}.convs.0`, `.1`, ...; the first one has the stride and changes the features.
pub(super) fn stack(
    vars: &mut dyn VarFactory,
    name: &str,
    blocks: usize,
    (kind, config): (BlockKind, &ModularConfig),
    first: &BlockShape<'_>,
) -> Result<Vec<Block>> {
    let one = vec![1; first.kernel.len()];
    let rest = BlockShape { input: first.output, stride: &one, ..*first };
    (0..blocks)
        .map(|i| {
            let shape = if i == 0 { first } else { &rest };
            Block::new(vars, &format!("{name}.convs.{i}"), kind, config, shape)
        })
        .collect()
}

impl Block {
    fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        kind: BlockKind,
        config: &ModularConfig,
        shape: &BlockShape<'_>,
    ) -> Result<Self> {
        let (layers, skip) = match kind {
            BlockKind::Plain => (vec![plain(vars, name, config, shape)?], Skip::None),
            BlockKind::Residual => {
                (residual(vars, name, config, shape)?, skip(vars, name, kind, config, shape)?)
            }
            BlockKind::PreAct => {
                (pre_activation(vars, name, config, shape)?, skip(vars, name, kind, config, shape)?)
            }
        };
        let (slope, dropout) = (config.negative_slope, config.dropout);
        Ok(Self { kind, layers, skip, slope, dropout })
    }

    /// Of a block without another way around, or of one part.
    fn norm_after(&self, parts: &[&Tensor], training: bool) -> Result<Tensor> {
        let mut out = Tensor::new();
        for (i, (convolution, norm)) in self.layers.iter().enumerate() {
            let own = [&out];
            out = convolution.forward_with(if i == 0 { parts } else { &own }, true)?;
            if i == 0 {
                out = dropped(out, self.dropout, training)?;
            }
            // What is added to the last one comes before the rectifier.
            let is_last = i + 1 == self.layers.len();
            let slope = if is_last && !matches!(self.skip, Skip::None) { 1.0 } else { self.slope };
            out = norm.activated(out.into(), training, slope)?;
        }
        let [x] = parts else { return Ok(out) };
        if let Some(around) = self.skip.forward(x, training)? {
            return leaky_relu(&mut out.f_add(&around)?, self.slope);
        }
        Ok(out)
    }

    fn norm_before(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let mut out = x.shallow_clone();
        let mut around = x.shallow_clone();
        for (i, (convolution, norm)) in self.layers.iter().enumerate() {
            let input = if i == 0 { NormInput::shared(&out) } else { out.into() };
            out = norm.activated(input, training, self.slope)?;
            if i == 0 && matches!(self.skip, Skip::Projection { .. }) {
                around = self.skip.forward(&out, training)?.unwrap_or(around);
            }
            out = convolution.forward(&out)?;
            if i == 0 {
                out = dropped(out, self.dropout, training)?;
            }
        }
        Ok(out.f_add(&around)?)
    }
}

impl Layer for Block {
    /// # Shapes
    /// (batch, input, space...) to (batch, output, space / stride...).
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        match self.kind {
            BlockKind::Plain | BlockKind::Residual => self.norm_after(&[x], training),
            BlockKind::PreAct => self.norm_before(x, training),
        }
    }

    fn forward_joined(&self, parts: [&Tensor; 2], training: bool) -> Result<Tensor> {
        match self.kind {
            BlockKind::Plain => self.norm_after(&parts, training),
            BlockKind::Residual | BlockKind::PreAct => self.forward(&Tensor::f_cat(&parts, 1)?, training),
        }
    }
}

impl Skip {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Option<Tensor>> {
        let Skip::Projection { pool, convolution, norm } = self else {
            return Ok(matches!(self, Skip::Identity).then(|| x.shallow_clone()));
        };
        let x = match pool {
            Some(stride) => average_pool(x, stride)?,
            None => x.shallow_clone(),
        };
        let x = convolution.forward(&x)?;
        Ok(Some(match norm {
            Some(norm) => norm.activated(x.into(), training, 1.0)?,
            None => x,
        }))
    }
}

fn convolution(
    vars: &mut dyn VarFactory,
    name: &str,
    config: &ModularConfig,
    shape: &BlockShape<'_>,
) -> Result<Convolution> {
    let BlockShape { input, output, kernel, stride } = *shape;
    let shape = ConvolutionShape { input, output, kernel, stride, bias: false };
    Convolution::new(vars, name, &shape, config.init_slope)
}

fn normalization(
    vars: &mut dyn VarFactory,
    name: &str,
    config: &ModularConfig,
    features: usize,
    axes: usize,
) -> Result<Normalization> {
    Normalization::of_features(vars, name, config.norm, (features, axes))
}

/// v1 `ConvDropoutNormReLU`, whose sequence gives every tensor a second name.
fn plain(
    vars: &mut dyn VarFactory,
    name: &str,
    config: &ModularConfig,
    shape: &BlockShape<'_>,
) -> Result<(Convolution, Normalization)> {
    let conv = convolution(vars, &format!("{name}.conv"), config, shape)?;
    let norm = normalization(vars, &format!("{name}.norm"), config, shape.output, shape.kernel.len())?;
    conv.second_name(vars, &format!("{name}.all.0"), &format!("{name}.conv"))?;
    norm.second_name(vars, &format!("{name}.all.2"), &format!("{name}.norm"))?;
    Ok((conv, norm))
}

/// Two convolutions with their norms, made by `layer` from a number (1 or 2) and a shape; the first one has the stride and
/// changes the features.
fn two_layers(
    shape: &BlockShape<'_>,
    layer: impl FnMut((u8, &BlockShape<'_>)) -> Result<(Convolution, Normalization)>,
) -> Result<Vec<(Convolution, Normalization)>> {
    let one = vec![1; shape.kernel.len()];
    let second = BlockShape { input: shape.output, stride: &one, ..*shape };
    [(1, shape), (2, &second)].into_iter().map(layer).collect()
}

/// v1 `BasicResidualBlock`.
fn residual(
    vars: &mut dyn VarFactory,
    name: &str,
    config: &ModularConfig,
    shape: &BlockShape<'_>,
) -> Result<Vec<(Convolution, Normalization)>> {
    let axes = shape.kernel.len();
    two_layers(shape, |(i, shape)| {
        let conv = convolution(vars, &format!("{name}.conv{i}"), config, shape)?;
        let norm = normalization(vars, &format!("{name}.norm{i}"), config, shape.output, axes)?;
        if i == 2 && config.zero_last_norm {
            norm.zero()?;
        }
        Ok((conv, norm))
    })
}

/// v1 `BasicPreActResidualBlock`: norms come before their convolutions.
fn pre_activation(
    vars: &mut dyn VarFactory,
    name: &str,
    config: &ModularConfig,
    shape: &BlockShape<'_>,
) -> Result<Vec<(Convolution, Normalization)>> {
    let axes = shape.kernel.len();
    two_layers(shape, |(i, shape)| {
        let norm = normalization(vars, &format!("{name}.norm{i}"), config, shape.input, axes)?;
        Ok((convolution(vars, &format!("{name}.conv{i}"), config, shape)?, norm))
    })
}

fn changes_shape(shape: &BlockShape<'_>) -> bool {
    shape.input != shape.output || shape.stride.iter().any(|step| *step != 1)
}

/// The way around a block. A residual block can pool before its projection, and normalizes after it.
fn skip(
    vars: &mut dyn VarFactory,
    name: &str,
    kind: BlockKind,
    config: &ModularConfig,
    shape: &BlockShape<'_>,
) -> Result<Skip> {
    if !changes_shape(shape) {
        return Ok(Skip::Identity);
    }
    let is_normed = kind == BlockKind::Residual;
    let can_pool = is_normed && config.avgpool_in_skip;
    let is_pooled = can_pool && shape.stride.iter().any(|step| *step != 1);
    let pool = is_pooled.then(|| shape.stride.iter().map(|step| *step as i64).collect());
    let one = vec![1; shape.kernel.len()];
    let stride = if can_pool { &one } else { shape.stride };
    let at = usize::from(is_pooled);
    let shape = BlockShape { kernel: &one, stride, ..*shape };
    let convolution = convolution(vars, &format!("{name}.downsample_skip.{at}"), config, &shape)?;
    let norm_name = format!("{name}.downsample_skip.{}", at + 1);
    let norm =
        is_normed.then(|| normalization(vars, &norm_name, config, shape.output, one.len())).transpose()?;
    Ok(Skip::Projection { pool, convolution: Box::new(convolution), norm })
}
