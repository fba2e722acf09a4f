//! Normalizations between convolution and nonlinearity.

use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Init, Result, VarFactory};
use nnunet_torch_ops::{
    GivesBack, NormAct, instance_norm_act, low_memory_norm_act, scale_act, takes_norm_act,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::layers::{Convolution, ConvolutionShape, channels_last, leaky_relu};

/// Epsilon of v1's norms but for filter response.
const EPSILON: f64 = 1e-5;
/// Epsilon of filter response normalization.
const RESPONSE_EPSILON: f64 = 1e-6;
/// Groups of v1's group norm.
const GROUPS: i64 = 8;
/// Momentum of the running statistics: weight of a new batch.
const MOMENTUM: f64 = 0.1;

/// Normalizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Each feature of each sample on its own.
    Instance,
    /// Each feature over the batch; running statistics in prediction (Ioffe and Szegedy 2015).
    Batch,
    /// Eight groups of features.
    Group,
    /// By the mean square, with a learned threshold instead of a nonlinearity (Singh and Krishnan 2020); 3D only.
    FilterResponse,
    /// None.
    None,
}

/// What is normalized.
pub(crate) struct NormInput<'a> {
    pub(crate) x: Tensor,
    /// Nothing else uses the memory of `x`.
    pub(crate) is_own: bool,
    /// A bias that was not added to `x` because the normalization cancels it.
    pub(crate) canceled: Option<&'a Tensor>,
}

impl From<Tensor> for NormInput<'_> {
    /// Of a tensor that nothing else uses.
    fn from(x: Tensor) -> Self {
        Self { x, is_own: true, canceled: None }
    }
}

impl<'a> NormInput<'a> {
    /// Of a tensor that is used elsewhere too.
    pub(crate) fn shared(x: &Tensor) -> Self {
        Self { x: x.shallow_clone(), is_own: false, canceled: None }
    }

    /// The output of a convolution, without its bias where the normalization cancels it.
    pub(crate) fn convolved(
        convolution: &'a Convolution,
        norm: &Normalization,
        parts: &[&Tensor],
    ) -> Result<Self> {
        let canceled = convolution.bias().filter(|_| parts.iter().all(|x| norm.cancels_bias(x)));
        Ok(Self { x: convolution.forward_with(parts, canceled.is_none())?, is_own: true, canceled })
    }
}

/// A normalization with its parameters.
#[derive(Debug)]
pub(crate) struct Normalization {
    norm: Norm,
    /// Scale and shift; none without a normalization.
    affine: Option<(Tensor, Tensor)>,
    /// Mean, variance and batches seen, of batch norm.
    running: Option<[Tensor; 3]>,
    /// Threshold of filter response normalization.
    tau: Option<Tensor>,
    gives_back: GivesBack,
}

impl Normalization {
    /// For the output of a convolution; parameters are `{name}.weight`, `{name}.bias` and so on, in v1's order.
    pub(crate) fn new(
        vars: &mut dyn VarFactory,
        name: &str,
        norm: Norm,
        shape: &ConvolutionShape<'_>,
    ) -> Result<Self> {
        Self::of_features(vars, name, norm, (shape.output, shape.kernel.len()))
    }

    /// For features of 2 or 3 axes.
    pub(crate) fn of_features(
        vars: &mut dyn VarFactory,
        name: &str,
        norm: Norm,
        (features, axes): (usize, usize),
    ) -> Result<Self> {
        let features = features as i64;
        check(norm, features, axes)?;
        let size = if norm == Norm::FilterResponse { vec![1, features, 1, 1, 1] } else { vec![features] };
        let mut parameter = |part: &str, value: f64| {
            vars.parameter(&format!("{name}.{part}"), &size, Init::Constant { value })
        };
        let affine = match norm {
            Norm::None => None,
            _ => Some((parameter("weight", 1.0)?, parameter("bias", 0.0)?)),
        };
        let tau = (norm == Norm::FilterResponse).then(|| parameter("tau", 0.0)).transpose()?;
        let running = (norm == Norm::Batch).then(|| running(vars, name, features)).transpose()?;
        Ok(Self { norm, affine, running, tau, gives_back: GivesBack::default() })
    }

    /// Saves the parameters of `of` under another name too.
    pub(crate) fn second_name(&self, vars: &mut dyn VarFactory, name: &str, of: &str) -> Result<()> {
        for (part, tensor) in self.parts() {
            let same = Init::Same { of: format!("{of}.{part}") };
            let _ = vars.parameter(&format!("{name}.{part}"), &tensor.size(), same)?;
        }
        Ok(())
    }

    /// All tensors by name, in v1's order.
    fn parts(&self) -> Vec<(&'static str, &Tensor)> {
        let (weight, bias) = self.affine.as_ref().map(|(weight, bias)| (weight, bias)).unzip();
        let [mean, variance, seen] = self.running.as_ref().map_or([None; 3], |all| all.each_ref().map(Some));
        let all = [
            ("weight", weight),
            ("bias", bias),
            ("tau", self.tau.as_ref()),
            ("running_mean", mean),
            ("running_var", variance),
            ("num_batches_tracked", seen),
        ];
        all.into_iter().filter_map(|(part, tensor)| Some((part, tensor?))).collect()
    }

    /// Initializes it with 0, so that it returns zeros at first.
    pub(crate) fn zero(&self) -> Result<()> {
        if let Some((weight, bias)) = &self.affine {
            no_grad(|| -> Result<()> {
                let _ = weight.shallow_clone().f_zero_()?;
                let _ = bias.shallow_clone().f_zero_()?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether a bias that is added to `x` before changes nothing, so that it need not be added.
    pub(crate) fn cancels_bias(&self, x: &Tensor) -> bool {
        self.norm == Norm::Instance && takes_norm_act(x)
    }

    /// The normalization and then a leaky rectifier of a slope (1 for none).
    ///
    /// # Shapes
    /// (batch, features, space...), unchanged.
    pub(crate) fn activated(&self, input: NormInput<'_>, training: bool, slope: f64) -> Result<Tensor> {
        let NormInput { x, is_own, canceled } = input;
        let how = NormAct { eps: EPSILON, slope, in_place: is_own };
        match (self.norm, &self.affine, &self.running) {
            (Norm::Instance, Some((weight, bias)), _) if takes_norm_act(&x) => {
                Ok(instance_norm_act(&channels_last(&x)?, (weight, bias), canceled, how)?)
            }
            (Norm::Instance, Some((weight, bias)), _)
                if self.gives_back.is_used(&x, (weight, bias), how)? =>
            {
                Ok(low_memory_norm_act(&x, (weight, bias), how)?)
            }
            (Norm::Batch, Some((weight, bias)), Some([mean, variance, _]))
                if !training && takes_norm_act(&x) && !x.requires_grad() && !weight.requires_grad() =>
            {
                let scale = weight / (variance + EPSILON).f_sqrt()?;
                let offset = bias - mean * &scale;
                Ok(scale_act(&channels_last(&x)?, (&scale, &offset), how)?)
            }
            // The rectifier works in place.
            (Norm::None, ..) if !is_own && slope != 1.0 => {
                leaky_relu(&mut x.f_to_dtype(x.kind(), false, true)?, slope)
            }
            _ => {
                let mut x = self.forward(x, training)?;
                if slope == 1.0 { Ok(x) } else { leaky_relu(&mut x, slope) }
            }
        }
    }

    /// The normalization alone.
    ///
    /// # Shapes
    /// (batch, features, space...), unchanged.
    pub(crate) fn forward(&self, x: Tensor, training: bool) -> Result<Tensor> {
        let Some((weight, bias)) = &self.affine else { return Ok(x) };
        let (w, b, none) = (Some(weight), Some(bias), None::<&Tensor>);
        match self.norm {
            Norm::Group => Ok(x.f_group_norm(GROUPS, w, b, EPSILON, true)?),
            Norm::Batch => self.over_batch(&x, training),
            Norm::FilterResponse => self.response(&x, weight, bias),
            _ if x.dim() == 5 && x.device() == Device::Cpu => each_sample(&x, w, b),
            _ => Ok(x.f_instance_norm(w, b, none, none, true, 0.0, EPSILON, true)?),
        }
    }

    fn over_batch(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let (weight, bias) = self.affine.as_ref().map(|(weight, bias)| (weight, bias)).unzip();
        let (mean, variance) = self.running.as_ref().map(|[mean, variance, _]| (mean, variance)).unzip();
        if let Some([_, _, seen]) = self.running.as_ref().filter(|_| training) {
            let _ = seen.shallow_clone().f_add_scalar_(1)?;
        }
        Ok(x.f_batch_norm(weight, bias, mean, variance, training, MOMENTUM, EPSILON, true)?)
    }

    fn response(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let kind = x.kind();
        let square = x.f_square()?.f_mean_dim([2, 3, 4].as_slice(), true, kind)?;
        let x = x.f_mul(&(square + RESPONSE_EPSILON).f_rsqrt()?)?;
        let x = x.f_mul(&weight.f_to_kind(kind)?)?.f_add(&bias.f_to_kind(kind)?)?;
        match &self.tau {
            Some(tau) => Ok(x.f_maximum(&tau.f_to_kind(kind)?)?),
            None => Ok(x),
        }
    }
}

/// Instance norm of volumes on the CPU with libtorch's operators, channels innermost in memory, where the convolutions around it want them.
/// Only a batch norm of every sample alone can keep them there, but it sums in single precision, which gradients show
/// in their fourth digit: those take the longer way. Slices, whose layouts cost little, always have the exact sums.
fn each_sample(x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<Tensor> {
    if x.kind() == Kind::Float && x.requires_grad() {
        let features = x.size()[1];
        return channels_last(&x.f_contiguous()?.f_group_norm(features, weight, bias, EPSILON, true)?);
    }
    let none = None::<&Tensor>;
    let normed = x
        .f_split(1, 0)?
        .iter()
        .map(|sample| Ok(sample.f_batch_norm(weight, bias, none, none, true, MOMENTUM, EPSILON, false)?))
        .collect::<Result<Vec<_>>>()?;
    Ok(Tensor::f_cat(&normed, 0)?)
}

fn check(norm: Norm, features: i64, axes: usize) -> Result<()> {
    match norm {
        Norm::Group if features % GROUPS != 0 => {
            Err(Error::parameter("norm", "group norm needs features in multiples of 8"))
        }
        Norm::FilterResponse if axes != 3 => {
            Err(Error::parameter("norm", "filter response normalization is for 3D"))
        }
        _ => Ok(()),
    }
}

fn running(vars: &mut dyn VarFactory, name: &str, features: i64) -> Result<[Tensor; 3]> {
    let mut buffer = |part: &str, size: &[i64], init| vars.buffer(&format!("{name}.{part}"), size, init);
    Ok([
        buffer("running_mean", &[features], Init::Constant { value: 0.0 })?,
        buffer("running_var", &[features], Init::Constant { value: 1.0 })?,
        buffer("num_batches_tracked", &[], Init::Counter)?,
    ])
}
