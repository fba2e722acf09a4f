//! The scale of the loss in half precision, changed on the device.

use std::ffi::c_char;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::done;

/// How the scale changes after a step. The layout is the C++ part's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LossScaleRule {
    /// Factor after enough steps without overflow.
    pub growth: f64,
    /// Factor after a step with overflow.
    pub backoff: f64,
    /// Steps without overflow before the scale grows.
    pub interval: i64,
}

unsafe extern "C" {
    fn nnunet_update_loss_scale(
        scale: *const C_tensor,
        growth_tracker: *const C_tensor,
        overflowed: *const C_tensor,
        rule: LossScaleRule,
    ) -> *mut c_char;
}

/// Changes the scale, a tensor of one element, and the number of steps since its last change, an int32 tensor of one element,
/// after a step; `overflowed` is 1 if its gradients were not finite.
///
/// # Errors
/// Returns an error of libtorch.
pub fn update_loss_scale(
    scale: &Tensor,
    growth_tracker: &Tensor,
    overflowed: &Tensor,
    rule: LossScaleRule,
) -> Result<(), TchError> {
    // SAFETY: the pointers are of tensors that live until the call returns.
    done(unsafe {
        nnunet_update_loss_scale(scale.as_ptr(), growth_tracker.as_ptr(), overflowed.as_ptr(), rule)
    })
}
