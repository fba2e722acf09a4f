//! Adam (Kingma and Ba 2015) with AMSGrad (Reddi et al. 2018), as `torch.optim.Adam` computes it.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Tensor, no_grad};

use super::{Optimize, Setting, State, StateValue, take_step, take_tensor};

/// Adam. Weight decay is an L2 penalty.
#[derive(Debug)]
pub struct Adam {
    amsgrad: bool,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    moments: Vec<Option<Moments>>,
}

/// Averages of one parameter's gradients.
#[derive(Debug)]
struct Moments {
    step: i64,
    first: Tensor,
    second: Tensor,
    /// Largest second moment so far, with AMSGrad.
    largest: Option<Tensor>,
}

impl Adam {
    /// Without moments yet.
    #[must_use]
    pub fn new(parameters: usize, amsgrad: bool, betas: [f64; 2], eps: f64, weight_decay: f64) -> Self {
        let moments = std::iter::repeat_with(|| None).take(parameters).collect();
        Self { amsgrad, betas, eps, weight_decay, moments }
    }

    fn change(&self, past: Option<Moments>, gradient: &Tensor) -> Result<(Moments, Tensor)> {
        let [beta1, beta2] = self.betas;
        let zeros = || gradient.f_zeros_like();
        let past = match past {
            Some(past) => past,
            None => Moments { step: 0, first: zeros()?, second: zeros()?, largest: None },
        };
        let step = past.step + 1;
        let first = (past.first * beta1).f_add(&(gradient * (1.0 - beta1)))?;
        let second = (past.second * beta2).f_add(&(gradient.f_square()? * (1.0 - beta2)))?;
        let largest = match past.largest {
            _ if !self.amsgrad => None,
            Some(largest) => Some(largest.f_maximum(&second)?),
            None => Some(second.shallow_clone()),
        };
        let correction = |beta: f64| 1.0 - beta.powi(step as i32);
        let root = largest.as_ref().unwrap_or(&second).f_sqrt()? / correction(beta2).sqrt();
        let change = first.f_div(&(root + self.eps))? / correction(beta1);
        Ok((Moments { step, first, second, largest }, change))
    }
}

impl Optimize for Adam {
    fn step(&mut self, store: &ParameterStore, learning_rate: f64) -> Result<()> {
        no_grad(|| {
            for (i, parameter) in store.trainable().enumerate() {
                let gradient = parameter.tensor.grad();
                if !gradient.defined() {
                    continue;
                }
                let mut tensor = parameter.tensor.shallow_clone();
                let gradient = gradient.f_add(&(&tensor * self.weight_decay))?;
                let past = self.moments[i].take();
                let (moments, change) = self.change(past, &gradient)?;
                let _ = tensor.f_sub_(&(change * learning_rate))?;
                self.moments[i] = Some(moments);
            }
            Ok(())
        })
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
        let Some(moments) = self.moments.get(parameter).and_then(Option::as_ref) else { return Vec::new() };
        let tensor =
            |name: &str, tensor: &Tensor| (name.to_owned(), StateValue::Tensor(tensor.shallow_clone()));
        let mut state = vec![
            tensor("step", &Tensor::from(moments.step as f32)),
            tensor("exp_avg", &moments.first),
            tensor("exp_avg_sq", &moments.second),
        ];
        state.extend(moments.largest.as_ref().map(|largest| tensor("max_exp_avg_sq", largest)));
        state
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        let moments = Moments {
            step: take_step(&mut state)?,
            first: take_tensor(&mut state, "exp_avg")?,
            second: take_tensor(&mut state, "exp_avg_sq")?,
            largest: self.amsgrad.then(|| take_tensor(&mut state, "max_exp_avg_sq")).transpose()?,
        };
        if let Some(slot) = self.moments.get_mut(parameter) {
            *slot = Some(moments);
        }
        Ok(())
    }
}
