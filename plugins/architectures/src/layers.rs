//! The layers networks are made of. Parameters come from the host's [`VarFactory`] and stay in single precision; every
//! layer computes in its input's number format.

use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Init, Result, VarFactory};

use crate::probe;

/// A convolution, with or without bias; padding keeps the size at stride 1.
#[derive(Debug)]
pub(crate) struct Convolution {
    name: String,
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
            name: name.to_owned(),
            weight,
            bias,
            stride: shape.stride.iter().map(|step| *step as i64).collect(),
            padding: shape.kernel.iter().map(|len| (*len as i64 - 1) / 2).collect(),
        })
    }

    /// Saves the parameters of `of` under another name too.
    pub(crate) fn second_name(&self, vars: &mut dyn VarFactory, name: &str, of: &str) -> Result<()> {
        for (part, tensor) in [("weight", Some(&self.weight)), ("bias", self.bias.as_ref())] {
            if let Some(tensor) = tensor {
                let same = Init::Same { of: format!("{of}.{part}") };
                let _ = vars.parameter(&format!("{name}.{part}"), &tensor.size(), same)?;
            }
        }
        Ok(())
    }

    pub(crate) fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// # Shapes
    /// (batch, input, space...) to (batch, output, space / stride...).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(&[x], true)
    }

    /// The convolution of tensors whose features are concatenated, with or without the bias.
    pub(crate) fn forward_with(&self, parts: &[&Tensor], bias: bool) -> Result<Tensor> {
        let y = match parts {
            [x] => self.convolved(x, &self.weight, bias)?,
            [first, rest @ ..] if is_summed(first) => self.sum(first, rest, bias)?,
            _ => self.convolved(&Tensor::f_cat(parts, 1)?, &self.weight, bias)?,
        };
        probe::look(&self.name, &y)?;
        Ok(y)
    }

    fn sum(&self, first: &Tensor, rest: &[&Tensor], bias: bool) -> Result<Tensor> {
        let features = |x: &Tensor| x.size()[1];
        let mut done = features(first);
        let mut y = self.convolved(first, &self.weight.f_narrow(1, 0, done)?, bias)?;
        for x in rest {
            let weight = self.weight.f_narrow(1, done, features(x))?;
            done += features(x);
            if is_for_onednn(x, &weight) {
                nnunet_torch_ops::add_convolution(
                    &y,
                    &channels_last(x)?,
                    &weight,
                    (&self.padding, &self.stride),
                )?;
            } else {
                y = y.f_add_(&self.convolved(x, &weight, false)?)?;
            }
        }
        Ok(y)
    }

    fn convolved(&self, x: &Tensor, weight: &Tensor, bias: bool) -> Result<Tensor> {
        let ones = vec![1; self.stride.len()];
        let x = &channels_last(x)?;
        let weight = weight.f_to_kind(x.kind())?;
        let bias = self.bias.as_ref().filter(|_| bias);
        let bias = bias.map(|bias| bias.f_to_kind(x.kind())).transpose()?;
        let bias = bias.as_ref();
        Ok(match self.stride.len() {
            _ if is_for_onednn(x, &weight) => {
                x.f_mkldnn_convolution(&weight, bias, &self.padding, &self.stride, &ones, 1)?
            }
            2 => x.f_conv2d(&weight, bias, &self.stride, &self.padding, &ones, 1)?,
            _ => x.f_conv3d(&weight, bias, &self.stride, &self.padding, &ones, 1)?,
        })
    }
}

/// Whether the convolution of a concatenation is computed as the sum of convolutions, which needs no copy of their inputs. A
/// GPU would start more kernels, and in bfloat16 the sum would be rounded once more.
pub(crate) fn is_summed(x: &Tensor) -> bool {
    nnunet_torch_ops::has_own_operators() && x.device() == Device::Cpu && x.kind() == Kind::Float
}

/// Whether oneDNN is asked by name. libtorch gives a small image (batch x features x z x y up to 20480) to an older
/// convolution that takes several times as long; by name there is no gradient, so training keeps libtorch's choice. In
/// bf16 libtorch asks oneDNN itself wherever the processor can.
fn is_for_onednn(x: &Tensor, weight: &Tensor) -> bool {
    cfg!(target_arch = "x86_64")
        && x.device() == Device::Cpu
        && x.kind() == Kind::Float
        && !x.requires_grad()
        && !weight.requires_grad()
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
            _ if nnunet_torch_ops::has_own_operators() && is_for_onednn(x, &weight) => {
                nnunet_torch_ops::transposed_convolution(&channels_last(x)?, &weight, bias, &self.stride)?
            }
            2 => x.f_conv_transpose2d(&weight, bias, &self.stride, &zeros, &zeros, 1, &ones)?,
            _ => x.f_conv_transpose3d(&weight, bias, &self.stride, &zeros, &zeros, 1, &ones)?,
        })
    }
}

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
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor> {
    let axes = x.dim() as i64;
    let inward: Vec<i64> = std::iter::once(0).chain(2..axes).chain([1]).collect();
    let outward: Vec<i64> = [0, axes - 1].into_iter().chain(1..axes - 1).collect();
    let x = x.f_permute(&inward)?.f_contiguous()?.f_permute(&outward)?;
    if x.size()[1] > 1 { Ok(x) } else { with_strides_of_channels_last(&x) }
}

/// Of a single channel it makes no difference where it is in memory: only its stride tells libtorch in which layout the result
/// of a convolution is wanted.
fn with_strides_of_channels_last(x: &Tensor) -> Result<Tensor> {
    let mut strides = x.stride();
    strides[1] = 1;
    Ok(x.f_as_strided(x.size(), strides, None)?)
}

/// Average pooling whose kernel is its stride.
pub(crate) fn average_pool(x: &Tensor, stride: &[i64]) -> Result<Tensor> {
    let zeros = vec![0; stride.len()];
    Ok(match stride.len() {
        2 => x.f_avg_pool2d(stride, stride, &zeros, false, true, None)?,
        _ => x.f_avg_pool3d(stride, stride, &zeros, false, true, None)?,
    })
}
