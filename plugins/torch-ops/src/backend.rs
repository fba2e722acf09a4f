//! What the process knows of CUDA.

use std::ffi::c_char;

use tch::TchError;

use crate::call::done;

unsafe extern "C" {
    fn nnunet_cuda_is_registered() -> i32;
    fn nnunet_set_cuda_numerics(search: bool, tf32: bool) -> *mut c_char;
}

/// Whether cuDNN searches for the fastest convolution, and whether convolutions and products of matrices in single
/// precision may use TF32, whose results have 10 bits. Changes nothing on the CPU.
///
/// # Errors
/// Returns an error of libtorch.
pub fn set_cuda_numerics(search: bool, tf32: bool) -> Result<(), TchError> {
    // SAFETY: the function takes two switches.
    done(unsafe { nnunet_set_cuda_numerics(search, tf32) })
}

/// Whether the process has a CUDA backend already. Other than `tch::Cuda::is_available`, this initializes nothing: once
/// libtorch has been asked for devices, a backend that is loaded later is not seen any more.
#[must_use]
pub fn cuda_is_registered() -> bool {
    // SAFETY: the function takes nothing and only reads a registry.
    unsafe { nnunet_cuda_is_registered() != 0 }
}
