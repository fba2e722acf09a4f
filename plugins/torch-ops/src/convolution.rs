//! Convolutions whose results are added to what is there.

use std::ffi::c_char;

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
