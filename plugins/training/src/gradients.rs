//! Norm, clipping and reset of all gradients.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Error, Result};
use nnunet_torch_ops::lists;

/// Added to the norm for numerical stability (`torch.nn.utils.clip_grad_norm_`).
const CLIP_EPSILON: f64 = 1e-6;

/// The gradients that there are.
fn gradients(store: &ParameterStore) -> Vec<Tensor> {
    store.trainable().map(|parameter| parameter.tensor.grad()).filter(Tensor::defined).collect()
}

/// Scales all gradients so that their joint L2 norm does not exceed `largest`; returns the norm before, a tensor
/// without axes on the device. Waits for nothing, and does nothing special about a norm that is not finite.
///
/// # Errors
/// Returns an error if no parameter has a gradient, or an error of libtorch.
pub fn clip_on_device(store: &ParameterStore, largest: Option<f64>) -> Result<Tensor> {
    let gradients = gradients(store);
    if gradients.is_empty() {
        return Err(Error::message("no parameter has a gradient"));
    }
    let norm = lists::total_norm(&gradients)?;
    if let Some(largest) = largest {
        let factor = ((&norm + CLIP_EPSILON).f_reciprocal()? * largest).f_clamp_max(1.0)?;
        lists::multiply(&gradients, &factor)?;
    }
    Ok(norm)
}

/// As [`clip_on_device`], and reads the norm.
///
/// # Errors
/// Returns an error if the norm is not finite.
pub fn clip_gradients(store: &ParameterStore, largest: Option<f64>) -> Result<f64> {
    let norm = f64::try_from(clip_on_device(store, largest)?.f_to_kind(Kind::Double)?)?;
    if norm.is_finite() { Ok(norm) } else { Err(Error::NotFinite(format!("gradient norm {norm}"))) }
}

/// Divides all gradients by the scale of the loss.
pub(crate) fn unscale_gradients(store: &ParameterStore, scale: f64) -> Result<()> {
    Ok(lists::multiply_scalar(&gradients(store), 1.0 / scale)?)
}

/// Divides all gradients by the scale of the loss, a tensor of one element on their device.
pub(crate) fn unscale_on_device(store: &ParameterStore, scale: &Tensor) -> Result<()> {
    Ok(lists::multiply(&gradients(store), &scale.f_reciprocal()?)?)
}

/// Resets all gradients.
pub(crate) fn forget_gradients(store: &ParameterStore) -> Result<()> {
    let tensors: Vec<Tensor> = store.trainable().map(|parameter| parameter.tensor.shallow_clone()).collect();
    Ok(lists::forget_gradients(&tensors)?)
}
