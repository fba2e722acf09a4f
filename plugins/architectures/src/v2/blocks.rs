//! The blocks of v2's U-Nets, with the parameter names of `dynamic_network_architectures`.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Result, VarFactory};

use crate::layers::{Convolution, ConvolutionShape, average_pool, leaky_relu};
use crate::norm::{Norm, NormInput, Normalization};
use crate::unet::Layer;

/// Slope of the leaky rectifier.
pub(super) const SLOPE: f64 = 0.01;

/// Convolution, normalization and leaky rectifier (`ConvDropoutNormReLU`).
#[derive(Debug)]
pub(super) struct NormedConvolution {
    convolution: Convolution,
    norm: Normalization,
}

impl NormedConvolution {
    pub(super) fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        norm: Norm,
        shape: &ConvolutionShape<'_>,
    ) -> Result<Self> {
        Ok(Self {
            convolution: Convolution::new(vars, &format!("{name}.conv"), shape, SLOPE)?,
            norm: Normalization::new(vars, &format!("{name}.norm"), norm, shape)?,
        })
    }

    /// Initializes its norm so that it returns zeros at first.
    pub(super) fn start_with_zeros(&self) -> Result<()> {
        self.norm.zero()
    }

    /// With a leaky rectifier of this slope.
    fn activated(&self, parts: &[&Tensor], training: bool, slope: f64) -> Result<Tensor> {
        self.norm.activated(NormInput::convolved(&self.convolution, &self.norm, parts)?, training, slope)
    }

    /// Without the rectifier.
    fn linear(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        self.activated(&[x], training, 1.0)
    }
}

impl Layer for NormedConvolution {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        self.activated(&[x], training, SLOPE)
    }

    fn forward_joined(&self, parts: [&Tensor; 2], training: bool) -> Result<Tensor> {
        self.activated(&parts, training, SLOPE)
    }
}

/// Two convolutions beside an average pooling and a projection, where they are needed (`BasicBlockD`).
#[derive(Debug)]
pub(super) struct ResidualBlock {
    pub(super) first: NormedConvolution,
    pub(super) second: NormedConvolution,
    pub(super) pool: Option<Vec<i64>>,
    pub(super) projection: Option<NormedConvolution>,
}

impl Layer for ResidualBlock {
    fn forward(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let mut skip = match &self.pool {
            Some(stride) => average_pool(x, stride)?,
            None => x.shallow_clone(),
        };
        if let Some(projection) = &self.projection {
            skip = projection.linear(&skip, training)?;
        }
        let inner = self.second.linear(&self.first.forward(x, training)?, training)?;
        leaky_relu(&mut inner.f_add(&skip)?, SLOPE)
    }
}
