//! Stochastic gradient descent with Nesterov momentum, as `torch.optim.SGD` computes it.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Result};

/// Keeps the clipped norm's quotient finite (`torch.nn.utils.clip_grad_norm_`).
const CLIP_EPSILON: f64 = 1e-6;

/// The optimiser's values and momentum.
#[derive(Debug)]
pub struct Sgd {
    /// Weight of the past gradients.
    pub momentum: f64,
    /// Look ahead.
    pub nesterov: bool,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Momentum by trainable parameter; none before its first gradient.
    pub buffers: Vec<Option<Tensor>>,
}

impl Sgd {
    /// Without momentum yet.
    #[must_use]
    pub fn new(store: &ParameterStore, momentum: f64, nesterov: bool, weight_decay: f64) -> Self {
        let buffers = store.trainable().map(|_| None).collect();
        Self { momentum, nesterov, weight_decay, buffers }
    }

    /// One step against the gradients. Parameters without a gradient stay as they are.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn step(&mut self, store: &ParameterStore, learning_rate: f64) -> Result<()> {
        no_grad(|| {
            for (parameter, buffer) in store.trainable().zip(&mut self.buffers) {
                let gradient = parameter.tensor.grad();
                if !gradient.defined() {
                    continue;
                }
                let mut tensor = parameter.tensor.shallow_clone();
                let gradient = gradient.f_add(&(&tensor * self.weight_decay))?;
                let velocity = match buffer.take() {
                    Some(past) => (past * self.momentum).f_add(&gradient)?,
                    None => gradient.f_clone(&gradient)?,
                };
                let change = if self.nesterov {
                    gradient.f_add(&(&velocity * self.momentum))?
                } else {
                    velocity.shallow_clone()
                };
                let _ = tensor.f_sub_(&(change * learning_rate))?;
                *buffer = Some(velocity);
            }
            Ok(())
        })
    }
}

/// Scales all gradients so that their joint L2 norm does not exceed `largest`; returns the norm before.
///
/// # Errors
/// A norm that is not finite.
pub fn clip_gradients(store: &ParameterStore, largest: Option<f64>) -> Result<f64> {
    let gradients: Vec<Tensor> = store.trainable().map(|p| p.tensor.grad()).filter(Tensor::defined).collect();
    if gradients.is_empty() {
        return Err(Error::message("no parameter has a gradient"));
    }
    let norms: Vec<Tensor> =
        gradients.iter().map(|gradient| gradient.f_norm()).collect::<std::result::Result<_, _>>()?;
    let norm = f64::try_from(Tensor::f_stack(&norms, 0)?.f_norm()?.f_to_kind(Kind::Double)?)?;
    if !norm.is_finite() {
        return Err(Error::NotFinite(format!("gradient norm {norm}")));
    }
    if let Some(factor) =
        largest.map(|largest| largest / (norm + CLIP_EPSILON)).filter(|factor| *factor < 1.0)
    {
        for mut gradient in gradients {
            let _ = gradient.f_mul_scalar_(factor)?;
        }
    }
    Ok(norm)
}

/// Forgets all gradients.
pub(crate) fn zero_gradients(store: &ParameterStore) {
    for parameter in store.trainable() {
        let mut gradient = parameter.tensor.grad();
        if gradient.defined() {
            let _ = gradient.detach_().zero_();
        }
    }
}
