//! The layers networks are made of. Parameters come from the host's [`VarFactory`] and stay in single precision; every
//! layer computes in its input's number format.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Error, Init, Result, VarFactory};
use serde::{Deserialize, Serialize};

/// Epsilon of v1's instance norm.
const NORM_EPSILON: f64 = 1e-5;

/// A convolution with bias; padding keeps the size at stride 1.
#[derive(Debug)]
pub(crate) struct Convolution {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: Vec<i64>,
    padding: Vec<i64>,
}

/// What a convolution looks like.
pub(crate) struct ConvolutionShape<'a> {
    pub input: usize,
    pub output: usize,
    pub kernel: &'a [usize],
    pub stride: &'a [usize],
    pub bias: bool,
}

impl Convolution {
    pub(crate) fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        slope: f64,
    ) -> Result<Self> {
        let mut size = vec![shape.output as i64, shape.input as i64];
        size.extend(shape.kernel.iter().map(|len| *len as i64));
        let he = Init::KaimingNormal { negative_slope: slope };
        let weight = vars.parameter(&format!("{name}.weight"), &size, he)?;
        let zero = Init::Constant { value: 0.0 };
        let bias =
            shape.bias.then(|| vars.parameter(&format!("{name}.bias"), &size[..1], zero)).transpose()?;
        Ok(Self {
            weight,
            bias,
            stride: shape.stride.iter().map(|step| *step as i64).collect(),
            padding: shape.kernel.iter().map(|len| (*len as i64 - 1) / 2).collect(),
        })
    }

    /// # Shapes
    /// (batch, input, space...) to (batch, output, space / stride...).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let ones = vec![1; self.stride.len()];
        let x = &channels_last(x)?;
        let weight = self.weight.f_to_kind(x.kind())?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(x.kind())).transpose()?;
        Ok(match self.stride.len() {
            2 => x.f_conv2d(&weight, bias.as_ref(), &self.stride, &self.padding, &ones, 1)?,
            _ => x.f_conv3d(&weight, bias.as_ref(), &self.stride, &self.padding, &ones, 1)?,
        })
    }
}

/// A transposed convolution whose kernel is its stride: exact upsampling.
#[derive(Debug)]
pub(crate) struct Upsampling {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: Vec<i64>,
}

impl Upsampling {
    pub(crate) fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        (input, output): (usize, usize),
        kernel: &[usize],
        (slope, bias): (f64, bool),
    ) -> Result<Self> {
        let stride: Vec<i64> = kernel.iter().map(|len| *len as i64).collect();
        let size = [&[input as i64, output as i64], stride.as_slice()].concat();
        let weight =
            vars.parameter(&format!("{name}.weight"), &size, Init::KaimingNormal { negative_slope: slope })?;
        let zero = Init::Constant { value: 0.0 };
        let bias =
            bias.then(|| vars.parameter(&format!("{name}.bias"), &[output as i64], zero)).transpose()?;
        Ok(Self { weight, bias, stride })
    }

    /// # Shapes
    /// (batch, input, space...) to (batch, output, space * stride...).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (zeros, ones) = (vec![0; self.stride.len()], vec![1; self.stride.len()]);
        let weight = self.weight.f_to_kind(x.kind())?;
        let bias = self.bias.as_ref().map(|bias| bias.f_to_kind(x.kind())).transpose()?;
        let bias = bias.as_ref();
        Ok(match self.stride.len() {
            2 => x.f_conv_transpose2d(&weight, bias, &self.stride, &zeros, &zeros, 1, &ones)?,
            _ => x.f_conv_transpose3d(&weight, bias, &self.stride, &zeros, &zeros, 1, &ones)?,
        })
    }
}

/// Instance normalisation with scale and shift, without running statistics.
#[derive(Debug)]
pub(crate) struct InstanceNorm {
    weight: Tensor,
    bias: Tensor,
}

impl InstanceNorm {
    pub(crate) fn new(vars: &mut dyn VarFactory, name: &str, features: usize) -> Result<Self> {
        let size = [features as i64];
        Ok(Self {
            weight: vars.parameter(&format!("{name}.weight"), &size, Init::Constant { value: 1.0 })?,
            bias: vars.parameter(&format!("{name}.bias"), &size, Init::Constant { value: 0.0 })?,
        })
    }

    /// # Shapes
    /// (batch, features, space...), unchanged.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let none: Option<&Tensor> = None;
        Ok(x.f_instance_norm(
            Some(&self.weight),
            Some(&self.bias),
            none,
            none,
            true,
            0.0,
            NORM_EPSILON,
            true,
        )?)
    }
}

impl InstanceNorm {
    /// The same over groups of features, under the same parameter names.
    fn by_groups(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_group_norm(GROUPS, Some(&self.weight), Some(&self.bias), NORM_EPSILON, true)?)
    }
}

/// What a block is made of beside its convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockStyle {
    pub norm: Norm,
    pub activation: Activation,
    /// Negative slope that the initial weights are made for.
    pub init_slope: f64,
    /// The activation comes before the normalisation.
    pub norm_last: bool,
}

/// Normalisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Each feature of each sample on its own.
    Instance,
    /// Eight groups of features.
    Group,
    /// None.
    None,
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
}

impl Activation {
    fn apply(self, mut x: Tensor) -> Result<Tensor> {
        match self {
            Activation::LeakyRelu(slope) => leaky_relu(&mut x, slope),
            Activation::Gelu => Ok(x.f_gelu("none")?),
            Activation::Mish => Ok(x.f_mish()?),
        }
    }
}

/// Groups of v1's group norm.
const GROUPS: i64 = 8;

/// Convolution, normalisation, nonlinearity (v1 `ConvDropoutNormNonlin` and `ConvDropoutNonlinNorm`).
#[derive(Debug)]
pub(crate) struct Block {
    convolution: Convolution,
    norm: Option<InstanceNorm>,
    style: BlockStyle,
}

impl Block {
    pub(crate) fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        shape: &ConvolutionShape<'_>,
        style: BlockStyle,
    ) -> Result<Self> {
        if style.norm == Norm::Group && shape.output as i64 % GROUPS != 0 {
            return Err(Error::parameter("norm", "group norm needs features in multiples of 8"));
        }
        let convolution = Convolution::new(vars, &format!("{name}.conv"), shape, style.init_slope)?;
        let norm = (style.norm != Norm::None)
            .then(|| InstanceNorm::new(vars, &format!("{name}.instnorm"), shape.output))
            .transpose()?;
        Ok(Self { convolution, norm, style })
    }

    /// # Shapes
    /// As the convolution.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.convolution.forward(x)?;
        if self.style.norm_last {
            return self.normalised(self.style.activation.apply(x)?);
        }
        self.style.activation.apply(self.normalised(x)?)
    }

    fn normalised(&self, x: Tensor) -> Result<Tensor> {
        match (&self.norm, self.style.norm) {
            (Some(norm), Norm::Group) => norm.by_groups(&x),
            (Some(norm), _) => norm.forward(&x),
            (None, _) => Ok(x),
        }
    }
}

/// Convolution and normalisation, with or without the leaky rectifier, under v2's names (`ConvDropoutNormReLU` of
/// `dynamic_network_architectures`).
#[derive(Debug)]
pub(crate) struct NormedConvolution {
    convolution: Convolution,
    norm: InstanceNorm,
}

impl NormedConvolution {
    pub(crate) fn new(vars: &mut dyn VarFactory, name: &str, shape: &ConvolutionShape<'_>) -> Result<Self> {
        Ok(Self {
            convolution: Convolution::new(vars, &format!("{name}.conv"), shape, V2_SLOPE)?,
            norm: InstanceNorm::new(vars, &format!("{name}.norm"), shape.output)?,
        })
    }

    /// # Shapes
    /// As the convolution.
    pub(crate) fn linear(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(&self.convolution.forward(x)?)
    }

    /// The same with the rectifier.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        leaky_relu(&mut self.linear(x)?, V2_SLOPE)
    }
}

/// Slope of the leaky rectifier in v2's networks.
pub(crate) const V2_SLOPE: f64 = 0.01;

/// The leaky rectifier of a given slope, in place.
///
/// libtorch's C wrapper in tch fixes the slope at 0.01, which is v1's.
pub(crate) fn leaky_relu(x: &mut Tensor, slope: f64) -> Result<Tensor> {
    if slope == 0.01 {
        return Ok(x.f_leaky_relu_()?);
    }
    Ok(x.f_clamp_min(0.0)? + x.f_clamp_max(0.0)? * slope)
}

/// The same tensor with the channels innermost in memory, where libtorch's CPU convolutions are fastest. Free when it
/// is so already.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    let axes = x.dim() as i64;
    let inward: Vec<i64> = std::iter::once(0).chain(2..axes).chain([1]).collect();
    let outward: Vec<i64> = [0, axes - 1].into_iter().chain(1..axes - 1).collect();
    Ok(x.f_permute(&inward)?.f_contiguous()?.f_permute(&outward)?)
}
