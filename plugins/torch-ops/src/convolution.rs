//! Convolutions of oneDNN, by name.

use std::ffi::c_char;
use std::ptr;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::done;

/// Numbers of each axis. The layout is the C++ part's.
#[repr(C)]
#[derive(Clone, Copy)]
struct Axes {
    first: *const i64,
    count: usize,
}

impl From<&[i64]> for Axes {
    fn from(all: &[i64]) -> Self {
        Self { first: all.as_ptr(), count: all.len() }
    }
}

unsafe extern "C" {
    fn nnunet_add_convolution(
        y: *const C_tensor,
        x: *const C_tensor,
        weight: *const C_tensor,
        padding: Axes,
        stride: Axes,
    ) -> *mut c_char;
    fn nnunet_transposed_convolution(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        stride: Axes,
        y: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// `y += convolution(x, weight)`, with the channels of both innermost in memory, in single precision on the CPU. Records no
/// gradients.
///
/// # Errors
/// Returns an error if the shapes do not fit, or if this libtorch has no oneDNN.
pub fn add_convolution(
    y: &Tensor,
    x: &Tensor,
    weight: &Tensor,
    (padding, stride): (&[i64], &[i64]),
) -> Result<(), TchError> {
    // SAFETY: the pointers are of tensors and lists that live until the call returns.
    done(unsafe {
        nnunet_add_convolution(y.as_ptr(), x.as_ptr(), weight.as_ptr(), padding.into(), stride.into())
    })
}

/// The transposed convolution of `x`, without padding, in single precision on the CPU, with the channels of `x` and of the result
/// innermost in memory. Records no gradients.
///
/// # Errors
/// Returns an error if the shapes do not fit, or if this libtorch has no oneDNN.
pub fn transposed_convolution(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: &[i64],
) -> Result<Tensor, TchError> {
    let bias = bias.map_or(ptr::null(), |bias| bias.as_ptr());
    let mut y = ptr::null_mut();
    // SAFETY: the pointers are of tensors and lists that live until the call returns; on success `y` is a new tensor and ours.
    unsafe {
        done(nnunet_transposed_convolution(x.as_ptr(), weight.as_ptr(), bias, stride.into(), &raw mut y))?;
        Ok(Tensor::from_ptr(y))
    }
}
