//! All gradients together: their norm, their clipping, forgetting them.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Error, Result};

/// Keeps the clipped norm's quotient finite (`torch.nn.utils.clip_grad_norm_`).
const CLIP_EPSILON: f64 = 1e-6;

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

/// Divides all gradients by the scale of the loss.
pub(crate) fn unscale_gradients(store: &ParameterStore, scale: f64) -> Result<()> {
    for mut gradient in store.trainable().map(|p| p.tensor.grad()).filter(Tensor::defined) {
        let _ = gradient.f_mul_scalar_(1.0 / scale)?;
    }
    Ok(())
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
