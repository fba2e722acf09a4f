//! Ranger: rectified Adam (Liu et al. 2020) with lookahead (Zhang et al. 2019), as v1's `Ranger` computes it.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Tensor, no_grad};

use super::{Optimize, Setting, State, StateValue, take_step, take_tensor};

/// Rectified Adam whose weights are pulled back to slow ones every `k` steps. Weight decay is decoupled.
#[derive(Debug)]
pub struct Ranger {
    k: i64,
    alpha: f64,
    betas: [f64; 2],
    eps: f64,
    threshold: f64,
    weight_decay: f64,
    moments: Vec<Option<Moments>>,
}

/// Averages of one parameter's gradients, and its slow weights.
#[derive(Debug)]
struct Moments {
    step: i64,
    first: Tensor,
    second: Tensor,
    slow: Tensor,
}

impl Moments {
    fn new(parameter: &Tensor) -> Result<Self> {
        let zeros = || parameter.f_zeros_like();
        let mut slow = zeros()?;
        slow.f_copy_(parameter)?;
        Ok(Self { step: 0, first: zeros()?, second: zeros()?, slow })
    }
}

impl Ranger {
    /// Without moments yet. `lookahead` is the number of steps between two pulls, and their strength.
    #[must_use]
    pub fn new(
        parameters: usize,
        lookahead: (usize, f64),
        betas: [f64; 2],
        eps: f64,
        threshold: f64,
        weight_decay: f64,
    ) -> Self {
        let moments = std::iter::repeat_with(|| None).take(parameters).collect();
        Self {
            k: lookahead.0.max(1) as i64,
            alpha: lookahead.1,
            betas,
            eps,
            threshold,
            weight_decay,
            moments,
        }
    }

    /// Step size of a step, and whether the second moment can be trusted.
    fn rectified(&self, step: i64) -> (f64, bool) {
        let [beta1, beta2] = self.betas.map(|beta| beta.powi(step as i32));
        let longest = 2.0 / (1.0 - self.betas[1]) - 1.0;
        let length = longest - 2.0 * step as f64 * beta2 / (1.0 - beta2);
        if length <= self.threshold {
            return (1.0 / (1.0 - beta1), false);
        }
        let variance = (length - 4.0) / (longest - 4.0) * (length - 2.0) / length * longest / (longest - 2.0);
        (((1.0 - beta2) * variance).sqrt() / (1.0 - beta1), true)
    }

    fn update(
        &self,
        tensor: &mut Tensor,
        gradient: &Tensor,
        past: Moments,
        learning_rate: f64,
    ) -> Result<Moments> {
        let [beta1, beta2] = self.betas;
        let step = past.step + 1;
        let first = (past.first * beta1).f_add(&(gradient * (1.0 - beta1)))?;
        let second = (past.second * beta2).f_add(&(gradient.f_square()? * (1.0 - beta2)))?;
        let (size, trusted) = self.rectified(step);
        let _ = tensor.f_mul_scalar_(1.0 - self.weight_decay * learning_rate)?;
        let change =
            if trusted { first.f_div(&(second.f_sqrt()? + self.eps))? } else { first.shallow_clone() };
        let _ = tensor.f_sub_(&(change * (size * learning_rate)))?;
        let mut slow = past.slow;
        if step % self.k == 0 {
            slow = slow.f_add(&((&*tensor - &slow) * self.alpha))?;
            tensor.f_copy_(&slow)?;
        }
        Ok(Moments { step, first, second, slow })
    }
}

impl Optimize for Ranger {
    fn step(&mut self, store: &ParameterStore, learning_rate: f64) -> Result<()> {
        no_grad(|| {
            for (i, parameter) in store.trainable().enumerate() {
                let gradient = parameter.tensor.grad();
                if !gradient.defined() {
                    continue;
                }
                let mut tensor = parameter.tensor.shallow_clone();
                let past = match self.moments[i].take() {
                    Some(past) => past,
                    None => Moments::new(&tensor)?,
                };
                self.moments[i] = Some(self.update(&mut tensor, &gradient, past, learning_rate)?);
            }
            Ok(())
        })
    }

    fn settings(&self) -> Vec<(&'static str, Setting)> {
        vec![
            ("alpha", Setting::Float(self.alpha)),
            ("k", Setting::Int(self.k)),
            ("step_counter", Setting::Int(0)),
            ("betas", Setting::Pair(self.betas[0], self.betas[1])),
            ("N_sma_threshhold", Setting::Float(self.threshold)),
            ("eps", Setting::Float(self.eps)),
            ("weight_decay", Setting::Float(self.weight_decay)),
        ]
    }

    fn state(&self, parameter: usize) -> State {
        let Some(moments) = self.moments.get(parameter).and_then(Option::as_ref) else { return Vec::new() };
        let tensor =
            |name: &str, tensor: &Tensor| (name.to_owned(), StateValue::Tensor(tensor.shallow_clone()));
        vec![
            ("step".to_owned(), StateValue::Count(moments.step)),
            tensor("exp_avg", &moments.first),
            tensor("exp_avg_sq", &moments.second),
            tensor("slow_buffer", &moments.slow),
        ]
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        let moments = Moments {
            step: take_step(&mut state)?,
            first: take_tensor(&mut state, "exp_avg")?,
            second: take_tensor(&mut state, "exp_avg_sq")?,
            slow: take_tensor(&mut state, "slow_buffer")?,
        };
        if let Some(slot) = self.moments.get_mut(parameter) {
            *slot = Some(moments);
        }
        Ok(())
    }
}
