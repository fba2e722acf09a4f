//! Ranger: rectified Adam (Liu et al. 2020) with lookahead (Zhang et al. 2019), as v1's `Ranger` computes it.

use std::collections::BTreeSet;

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_torch_ops::{AdamState, AdamStep, SgdStep, lists};

use super::per_parameter::PerParameter;
use super::{Optimize, Setting, State, StateValue, Trained, named, take_step, take_tensor};

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
    /// Steps that were started, skipped ones included. Parameters with the same number are changed together.
    started: i64,
    /// Steps done, without axes, on the device.
    step: Tensor,
    first: Tensor,
    second: Tensor,
    slow: Tensor,
}

impl Moments {
    fn new(parameter: &Tensor) -> Result<Self> {
        let zeros = || parameter.f_zeros_like();
        let mut slow = zeros()?;
        slow.f_copy_(parameter)?;
        let step = Tensor::f_zeros([], (Element::Float, parameter.device()))?;
        Ok(Self { started: 0, step, first: zeros()?, second: zeros()?, slow })
    }
}

/// What a step multiplies with. All are tensors without axes, since the device alone knows how many steps were skipped.
struct Factors {
    /// Of the direction; 0 in a skipped step.
    size: Tensor,
    /// 1 where the second moment can be trusted, else 0.
    trusted: Tensor,
    /// Of the weights, for their decay.
    decay: Tensor,
    /// 0 where the weights are pulled back to the slow ones, else 1.
    stays: Tensor,
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

    /// The factors of the step with this number, in the data type of the weights.
    fn factors(&self, step: &Tensor, learning_rate: f64, skip: &Tensor, kind: Element) -> Result<Factors> {
        let step = step.f_to_kind(Element::Double)?;
        let skip = skip.f_to_kind(Element::Bool)?;
        let [beta1, beta2] = self.betas;
        let [past1, past2] = [Tensor::f_pow_scalar(beta1, &step)?, Tensor::f_pow_scalar(beta2, &step)?];
        let [left1, left2] = [1.0 - past1, 1.0 - &past2];
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        let length = longest - &step * past2 * 2.0 / &left2;
        let trusted = length.f_gt(self.threshold)?;
        let variance = (&length - 4.0) * (&length - 2.0) / &length;
        let variance = variance * (longest / ((longest - 4.0) * (longest - 2.0)));
        let root = (left2 * variance).f_clamp_min(0.0)?.f_sqrt()?;
        let size = root.f_masked_fill(&trusted.f_logical_not()?, 1.0)? / left1 * -learning_rate;
        let decay = step.f_full_like(1.0 - self.weight_decay * learning_rate)?;
        let stays = step.f_remainder(self.k)?.f_ne(0)?.f_logical_or(&skip)?;
        Ok(Factors {
            size: size.f_masked_fill(&skip, 0.0)?.f_to_kind(kind)?,
            trusted: trusted.f_to_kind(kind)?,
            decay: decay.f_masked_fill(&skip, 1.0)?.f_to_kind(kind)?,
            stays: stays.f_to_kind(Element::Float)?,
        })
    }

    /// One step of parameters that have begun together. Only the device sees whether it is skipped.
    fn update(&mut self, trained: &Trained, learning_rate: f64, skip: &Tensor) -> Result<()> {
        let list = |part| self.moments.tensors(trained, part);
        let (first, second) = (list(|m| &m.first), list(|m| &m.second));
        let (steps, slow) = (list(|m| &m.step), list(|m| &m.slow));
        let tensors = &trained.tensors;
        let Some((weights, step)) = tensors.first().zip(steps.first()) else { return Ok(()) };
        lists::add_scalar(&steps, 1.0)?;
        lists::subtract(&steps, skip)?;
        let factors = self.factors(step, learning_rate, skip, weights.kind())?;
        self.update_moments(trained, &first, &second, &steps, skip)?;
        if self.weight_decay != 0.0 {
            lists::multiply(tensors, &factors.decay)?;
        }
        lists::add_rectified(tensors, &first, &second, self.eps, &factors.trusted, &factors.size)?;
        move_unless(&slow, tensors, self.alpha, &factors.stays)?;
        move_unless(tensors, &slow, 1.0, &factors.stays)?;
        for number in &trained.numbers {
            self.moments.get_mut(*number).into_iter().for_each(|moments| moments.started += 1);
        }
        Ok(())
    }

    /// A step of Adam without a learning rate changes the moments only.
    fn update_moments(
        &self,
        trained: &Trained,
        first: &[Tensor],
        second: &[Tensor],
        steps: &[Tensor],
        skip: &Tensor,
    ) -> Result<()> {
        let state = AdamState { first, second, largest: &[], steps };
        let ([beta1, beta2], eps) = (self.betas, self.eps);
        let how = AdamStep { learning_rate: 0.0, beta1, beta2, weight_decay: 0.0, eps, amsgrad: false };
        Ok(nnunet_torch_ops::adam(&trained.tensors, &trained.gradients, state, how, Some(skip))?)
    }
}

/// `tensors += weight * (others - tensors)`, unless `stays` is 1: a step of gradient descent with a decay of -1.
fn move_unless(tensors: &[Tensor], others: &[Tensor], weight: f64, stays: &Tensor) -> Result<()> {
    let how = SgdStep {
        learning_rate: -weight,
        momentum: 0.0,
        weight_decay: -1.0,
        nesterov: false,
        is_first: true,
    };
    Ok(nnunet_torch_ops::sgd(tensors, others, &[], how, Some(stays))?)
}

impl Optimize for Ranger {
    fn step_of(&mut self, trained: &Trained, learning_rate: f64, skip: Option<&Tensor>) -> Result<()> {
        let Some(weights) = trained.tensors.first() else { return Ok(()) };
        let never = match skip {
            Some(skip) => skip.shallow_clone(),
            None => Tensor::f_zeros([], (Element::Float, weights.device()))?,
        };
        self.begin(trained)?;
        let started = |number: usize| self.moments.get(number).map_or(0, |moments| moments.started);
        let counts: BTreeSet<i64> = trained.numbers.iter().map(|number| started(*number)).collect();
        let groups: Vec<_> = counts.iter().map(|count| trained.only(|n| started(n) == *count)).collect();
        groups.iter().try_for_each(|group| self.update(group, learning_rate, &never))
    }

    fn is_recordable(&self) -> bool {
        true
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
            ("step".to_owned(), StateValue::Count(f64::try_from(&moments.step).unwrap_or(0.0) as i64)),
            named("exp_avg", &moments.first),
            named("exp_avg_sq", &moments.second),
            named("slow_buffer", &moments.slow),
        ]
    }

    fn restore(&mut self, parameter: usize, mut state: State) -> Result<()> {
        let started = take_step(&mut state)?;
        let first = take_tensor(&mut state, "exp_avg")?;
        let moments = Moments {
            started,
            step: Tensor::f_full([], started as f64, (Element::Float, first.device()))?,
            first,
            second: take_tensor(&mut state, "exp_avg_sq")?,
            slow: take_tensor(&mut state, "slow_buffer")?,
        };
        self.moments.set(parameter, moments);
        Ok(())
    }
}
