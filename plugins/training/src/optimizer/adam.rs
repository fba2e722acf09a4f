//! Adam (Kingma and Ba 2015) with AMSGrad (Reddi et al. 2018), as `torch.optim.Adam` computes it.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor};
use nnunet_torch_ops::{AdamState, AdamStep, lists};

use super::per_parameter::PerParameter;
use super::{Optimize, Setting, State, Trained, named, take_step, take_tensor};

/// Adam. Weight decay is an L2 penalty, or decoupled: AdamW (Loshchilov and Hutter 2019).
#[derive(Debug)]
pub struct Adam {
    decoupled: bool,
    amsgrad: bool,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    moments: PerParameter<Moments>,
}

/// Averages of one parameter's gradients, on its device.
#[derive(Debug)]
struct Moments {
    /// Steps done, without axes.
    step: Tensor,
    first: Tensor,
    second: Tensor,
    /// Largest second moment so far, with AMSGrad.
    largest: Option<Tensor>,
}

impl Adam {
    /// Without moments yet.
    #[must_use]
    pub fn new(parameters: usize, amsgrad: bool, betas: [f64; 2], eps: f64, weight_decay: f64) -> Self {
        let moments = PerParameter::new(parameters);
        Self { decoupled: false, amsgrad, betas, eps, weight_decay, moments }
    }

    /// As [`Adam::new`], with decoupled weight decay (`torch.optim.AdamW`).
    #[must_use]
    pub fn decoupled(parameters: usize, amsgrad: bool, betas: [f64; 2], eps: f64, weight_decay: f64) -> Self {
        Self { decoupled: true, ..Self::new(parameters, amsgrad, betas, eps, weight_decay) }
    }
}

/// Shrinks parameters by a share, where `skip` is not 1.
fn decay(tensors: &[Tensor], share: f64, skip: Option<&Tensor>) -> Result<()> {
    match skip {
        None => lists::multiply_scalar(tensors, 1.0 - share)?,
        Some(skip) => lists::multiply(tensors, &((skip.f_neg()? + 1.0) * -share + 1.0))?,
    }
    Ok(())
}

impl Moments {
    fn zeros(parameter: &Tensor, amsgrad: bool) -> Result<Self> {
        let zeros = || parameter.f_zeros_like();
        Ok(Self {
            step: Tensor::f_zeros([], (Element::Float, parameter.device()))?,
            first: zeros()?,
            second: zeros()?,
            largest: amsgrad.then(zeros).transpose()?,
        })
    }
}

impl Optimize for Adam {
    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()> {
        let Self { amsgrad, eps, weight_decay, .. } = *self;
        self.begin(trained)?;
        if self.decoupled {
            decay(&trained.tensors, learning_rate * weight_decay, skip)?;
        }
        let weight_decay = if self.decoupled { 0.0 } else { weight_decay };
        let list = |part| self.moments.tensors(trained, part);
        let steps = list(|moments| &moments.step);
        let largest = self.moments.of(trained).filter_map(|moments| moments.largest.as_ref());
        let largest: Vec<Tensor> = largest.map(Tensor::shallow_clone).collect();
        lists::add_scalar(&steps, 1.0)?;
        let state = AdamState {
            first: &list(|moments| &moments.first),
            second: &list(|moments| &moments.second),
            largest: &largest,
            steps: &steps,
        };
        let [beta1, beta2] = self.betas;
        let how = AdamStep { learning_rate, beta1, beta2, weight_decay, eps, amsgrad };
        nnunet_torch_ops::adam(&trained.tensors, &trained.gradients, state, how, skip)?;
        if let Some(skip) = skip {
            lists::subtract(&steps, skip)?;
        }
        Ok(())
    }

    fn begin(&mut self, trained: &Trained) -> Result<()> {
        let amsgrad = self.amsgrad;
        self.moments.begin(trained, |parameter| Moments::zeros(parameter, amsgrad))
    }

    fn forget(&mut self) {
        self.moments.clear();
    }

    fn is_recordable(&self) -> bool {
        true
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        vec![
            ("betas", Setting::Pair(self.betas[0], self.betas[1])),
            ("eps", Setting::Float(self.eps)),
            ("weight_decay", Setting::Float(self.weight_decay)),
            ("amsgrad", Setting::Bool(self.amsgrad)),
            ("maximize", Setting::Bool(false)),
            ("foreach", Setting::None),
            ("capturable", Setting::Bool(false)),
            ("differentiable", Setting::Bool(false)),
            ("fused", Setting::None),
        ]
    }

    fn state(&self, parameter: usize) -> State {
        let Some(moments) = self.moments.get(parameter) else { return Vec::new() };
        // On the CPU, where torch keeps it.
        let step = moments.step.f_to_device(Device::Cpu).unwrap_or_else(|_| moments.step.shallow_clone());
        let mut state = vec![
            named("step", &step),
            named("exp_avg", &moments.first),
            named("exp_avg_sq", &moments.second),
        ];
        state.extend(moments.largest.as_ref().map(|largest| named("max_exp_avg_sq", largest)));
        state
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        let step = take_step(&mut state)? as f64;
        let first = take_tensor(&mut state, "exp_avg")?;
        let moments = Moments {
            step: Tensor::f_full([], step, (Element::Float, first.device()))?,
            first,
            second: take_tensor(&mut state, "exp_avg_sq")?,
            largest: self.amsgrad.then(|| take_tensor(&mut state, "max_exp_avg_sq")).transpose()?,
        };
        self.moments.set(parameter, moments);
        Ok(())
    }
}
