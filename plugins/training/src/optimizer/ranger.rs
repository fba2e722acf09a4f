//! Ranger: rectified Adam (Liu et al. 2020) with lookahead (Zhang et al. 2019), as v1's `Ranger` computes it.

use std::collections::BTreeSet;

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::Tensor;
use nnunet_torch_ops::lists;

use super::per_parameter::PerParameter;
use super::{Optimize, Setting, State, StateValue, Trained, is_skipped, named, take_step, take_tensor};

/// Rectified Adam whose weights are pulled back to slow ones every `k` steps. Weight decay is decoupled.
#[derive(Debug)]
pub struct Ranger {
    k: i64,
    alpha: f64,
    betas: [f64; 2],
    eps: f64,
    threshold: f64,
    weight_decay: f64,
    moments: PerParameter<Moments>,
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
        Self {
            k: lookahead.0.max(1) as i64,
            alpha: lookahead.1,
            betas,
            eps,
            threshold,
            weight_decay,
            moments: PerParameter::new(parameters),
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

    /// One step of parameters that have done the same number of steps.
    fn update(&mut self, trained: &Trained, step: i64, learning_rate: f64) -> Result<()> {
        let [beta1, beta2] = self.betas;
        let list = |part| self.moments.tensors(trained, part);
        let (first, second) = (list(|m| &m.first), list(|m| &m.second));
        let (tensors, gradients) = (&trained.tensors, &trained.gradients);
        lists::multiply_scalar(&first, beta1)?;
        lists::add(&first, gradients, 1.0 - beta1)?;
        lists::multiply_scalar(&second, beta2)?;
        lists::add_products(&second, gradients, gradients, 1.0 - beta2)?;
        lists::multiply_scalar(tensors, 1.0 - self.weight_decay * learning_rate)?;
        let (size, trusted) = self.rectified(step);
        if trusted {
            lists::add_quotients(tensors, &first, &second, self.eps, -size * learning_rate)?;
        } else {
            lists::add(tensors, &first, -size * learning_rate)?;
        }
        if step % self.k == 0 {
            let slow = list(|m| &m.slow);
            lists::move_towards(&slow, tensors, self.alpha)?;
            lists::copy(tensors, &slow)?;
        }
        for number in &trained.numbers {
            self.moments.get_mut(*number).into_iter().for_each(|moments| moments.step = step);
        }
        Ok(())
    }
}

impl Optimize for Ranger {
    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()> {
        if is_skipped(skip)? {
            return Ok(());
        }
        self.begin(trained)?;
        let done = |number: usize| self.moments.get(number).map_or(0, |moments| moments.step);
        let counts: BTreeSet<i64> = trained.numbers.iter().map(|number| done(*number)).collect();
        let groups: Vec<_> =
            counts.iter().map(|count| (*count, trained.only(|n| done(n) == *count))).collect();
        groups.iter().try_for_each(|(count, group)| self.update(group, count + 1, learning_rate))
    }

    fn begin(&mut self, trained: &Trained) -> Result<()> {
        self.moments.begin(trained, Moments::new)
    }

    fn forget(&mut self) {
        self.moments.clear();
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
        let Some(moments) = self.moments.get(parameter) else { return Vec::new() };
        vec![
            ("step".to_owned(), StateValue::Count(moments.step)),
            named("exp_avg", &moments.first),
            named("exp_avg_sq", &moments.second),
            named("slow_buffer", &moments.slow),
        ]
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        let moments = Moments {
            step: take_step(&mut state)?,
            first: take_tensor(&mut state, "exp_avg")?,
            second: take_tensor(&mut state, "exp_avg_sq")?,
            slow: take_tensor(&mut state, "slow_buffer")?,
        };
        self.moments.set(parameter, moments);
        Ok(())
    }
}
