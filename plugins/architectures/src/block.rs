//! The block of `Generic_UNet`: convolution, dropout, normalization, nonlinearity.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use crate::layers::{Convolution, ConvolutionShape, leaky_relu};
use crate::norm::{Norm, NormInput, Normalization};
use crate::unet::Layer;

/// What a block is made of beside its convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockStyle {
    pub norm: Norm,
    pub activation: Activation,
    /// Negative slope assumed by the initialization of the weights.
    pub init_slope: f64,
    /// The activation comes before the normalization.
    pub norm_last: bool,
    /// Dropout probability of a feature map in training.
    pub dropout: f64,
}

/// Nonlinearities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Activation {
    /// Leaky rectifier with a slope for negative values.
    LeakyRelu(f64),
    /// Gaussian error linear unit, exact.
    Gelu,
    /// `x tanh(ln(1 + e^x))`.
    Mish,
    /// None, for filter response normalization, which includes a nonlinearity.
    Identity,
}

impl Activation {
    pub(crate) fn apply(self, mut x: Tensor) -> Result<Tensor> {
        match self {
            Activation::LeakyRelu(slope) => leaky_relu(&mut x, slope),
            Activation::Gelu => Ok(x.f_gelu("none")?),
            Activation::Mish => Ok(x.f_mish()?),
            Activation::Identity => Ok(x),
        }
    }
}

/// v1 `ConvDropoutNormNonlin` and `ConvDropoutNonlinNorm`.
#[derive(Debug)]
pub(crate) struct Block {
    convolution: Convolution,
    norm: Normalization,
    style: BlockStyle,
}

impl Block {
    pub(crate) fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
    ) -> Result<Self> {
        Ok(Self {
            convolution: Convolution::new(vars, &format!("{name}.conv"), shape, style.init_slope)?,
            norm: Normalization::new(vars, &format!("{name}.instnorm"), style.norm, shape)?,
            style,
        })
    }
}

impl Layer for Block {
    /// # Shapes
    /// As the convolution.
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        self.of_parts(&[x], training)
    }

    fn forward_joined(&self, parts: [&Tensor; 2], training: bool) -> Result<Tensor> {
        self.of_parts(&parts, training)
    }
}

impl Block {
    fn of_parts(&self, parts: &[&Tensor], training: bool) -> Result<Tensor> {
        let Block { convolution, norm, style } = self;
        if style.norm_last {
            let x = dropped(convolution.forward_with(parts, true)?, style.dropout, training)?;
            // The gradient of the activation is computed from its output, which must stay.
            return norm.activated(NormInput::shared(&style.activation.apply(x)?), training, 1.0);
        }
        let input = NormInput::convolved(convolution, norm, parts)?;
        let input = NormInput { x: dropped(input.x, style.dropout, training)?, ..input };
        match style.activation {
            Activation::LeakyRelu(slope) => norm.activated(input, training, slope),
            activation => activation.apply(norm.activated(input, training, 1.0)?),
        }
    }
}

/// Drops whole features in training, as torch's `Dropout2d` and `Dropout3d` do.
pub(crate) fn dropped(x: Tensor, share: f64, training: bool) -> Result<Tensor> {
    if share == 0.0 || !training {
        return Ok(x);
    }
    Ok(x.f_feature_dropout(share, true)?)
}
