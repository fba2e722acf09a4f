//! Normalization and leaky rectifier in place, for prediction on the CPU.

use std::ffi::c_char;

use tch::{Device, Kind, TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::done;

/// The layout is the C++ part's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct NormAct {
    eps: f64,
    slope: f64,
}

unsafe extern "C" {
    fn nnunet_instance_norm_act(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        how: NormAct,
    ) -> *mut c_char;
    fn nnunet_scale_act(
        x: *const C_tensor,
        scale: *const C_tensor,
        offset: *const C_tensor,
        how: NormAct,
    ) -> *mut c_char;
}

/// Whether [`instance_norm_act`] and [`scale_act`] take a tensor: on the CPU, in single precision or bfloat16, without gradients,
/// (samples, channels, space...) with the channels innermost in memory.
#[must_use]
pub fn takes_norm_act(x: &Tensor) -> bool {
    let axes = x.dim() as i64;
    let inward: Vec<i64> = std::iter::once(0).chain(2..axes).chain([1]).collect();
    x.device() == Device::Cpu
        && matches!(x.kind(), Kind::Float | Kind::BFloat16)
        && !x.requires_grad()
        && axes > 2
        && x.f_permute(&inward).is_ok_and(|x| x.is_contiguous())
}

/// Normalizes each channel of each sample, multiplies by `weight` and adds `bias`; then negative values are multiplied by
/// `slope`, which is 1 for no rectifier. In place, with sums in double precision; the result is the same for any number of
/// threads.
///
/// # Errors
/// Returns an error unless [`takes_norm_act`], or if `weight` and `bias` have not a value for each channel.
pub fn instance_norm_act(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    eps: f64,
    slope: f64,
) -> Result<(), TchError> {
    let how = NormAct { eps, slope };
    // SAFETY: the pointers are of tensors that live until the call returns.
    done(unsafe { nnunet_instance_norm_act(x.as_ptr(), weight.as_ptr(), bias.as_ptr(), how) })
}

/// Multiplies each channel by its `scale` and adds its `offset`, as [`instance_norm_act`] does after its sums.
///
/// # Errors
/// As [`instance_norm_act`].
pub fn scale_act(x: &Tensor, (scale, offset): (&Tensor, &Tensor), slope: f64) -> Result<(), TchError> {
    let how = NormAct { eps: 0.0, slope };
    // SAFETY: as above.
    done(unsafe { nnunet_scale_act(x.as_ptr(), scale.as_ptr(), offset.as_ptr(), how) })
}
