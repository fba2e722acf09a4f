//! Normalization and leaky rectifier as one operator, for CPU tensors with the channels innermost in memory.

use std::ffi::c_char;

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::{done, pointer};
use crate::own_operators::has_own_operators;

/// How an operator of this file computes. The layout is the C++ part's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct NormAct {
    /// Added to variances.
    pub eps: f64,
    /// Negative values are multiplied by it; 1 for no rectifier.
    pub slope: f64,
    /// The input's memory may become the output's.
    pub in_place: bool,
}

unsafe extern "C" {
    fn nnunet_instance_norm_act(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        canceled: *const C_tensor,
        how: NormAct,
        result: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nnunet_scale_act(
        x: *const C_tensor,
        scale: *const C_tensor,
        offset: *const C_tensor,
        how: NormAct,
        result: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// Whether [`instance_norm_act`] and [`scale_act`] compute with tensors like this one: on the CPU, in single precision or
/// bfloat16, unless libtorch's operators are asked for. They also need its channels to be innermost in memory.
#[must_use]
pub fn takes_norm_act(x: &Tensor) -> bool {
    has_own_operators()
        && x.device() == Device::Cpu
        && matches!(x.kind(), Kind::Float | Kind::BFloat16)
        && x.dim() > 2
}

/// Normalizes each channel of each sample, multiplies by `weight` and adds `bias`; then negative values are multiplied by the
/// slope. Sums are in double precision, and the result is the same for any number of threads.
///
/// With gradients, the output and the statistics are saved for the backward pass, not the input; the input only where the output
/// does not give it back: with a slope of 0, or where a channel's weight is close to 0.
///
/// `canceled` is a bias that the convolution before has not added, because the mean takes it away again; its gradient is zero.
///
/// # Errors
/// Returns an error unless [`takes_norm_act`] and the channels are innermost, or if `weight` and `bias` have not a value for each
/// channel.
pub fn instance_norm_act(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    canceled: Option<&Tensor>,
    how: NormAct,
) -> Result<Tensor, TchError> {
    let mut result = std::ptr::null_mut();
    // SAFETY: the pointers are of tensors that live until the call returns; on success `result` is a new tensor that is ours.
    unsafe {
        done(nnunet_instance_norm_act(
            x.as_ptr(),
            weight.as_ptr(),
            bias.as_ptr(),
            pointer(canceled),
            how,
            &raw mut result,
        ))?;
        Ok(Tensor::from_ptr(result))
    }
}

/// Multiplies each channel by its `scale` and adds its `offset`; then negative values are multiplied by the slope. Records no
/// gradients.
///
/// # Errors
/// As [`instance_norm_act`].
pub fn scale_act(x: &Tensor, (scale, offset): (&Tensor, &Tensor), how: NormAct) -> Result<Tensor, TchError> {
    let mut result = std::ptr::null_mut();
    // SAFETY: as above.
    unsafe {
        done(nnunet_scale_act(x.as_ptr(), scale.as_ptr(), offset.as_ptr(), how, &raw mut result))?;
        Ok(Tensor::from_ptr(result))
    }
}
