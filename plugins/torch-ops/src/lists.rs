//! Multi-tensor operators: on a GPU one kernel for many tensors. All work in place and record no gradients.

use std::ffi::c_char;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::{List, Pointers, done};

type Result<T> = std::result::Result<T, TchError>;

unsafe extern "C" {
    fn nnunet_forget_gradients(tensors: List) -> *mut c_char;
    fn nnunet_total_norm(tensors: List, norm: *mut *mut C_tensor) -> *mut c_char;
    fn nnunet_multiply(tensors: List, factor: *const C_tensor) -> *mut c_char;
    fn nnunet_multiply_scalar(tensors: List, factor: f64) -> *mut c_char;
    fn nnunet_add_scalar(tensors: List, value: f64) -> *mut c_char;
    fn nnunet_subtract(tensors: List, value: *const C_tensor) -> *mut c_char;
    fn nnunet_add_rectified(
        tensors: List,
        first: List,
        second: List,
        eps: f64,
        trusted: *const C_tensor,
        size: *const C_tensor,
    ) -> *mut c_char;
}

/// Gradients become undefined, so that the next backward pass writes them instead of adding to zeros.
///
/// # Errors
/// Returns an error of libtorch, as all functions here.
pub fn forget_gradients(tensors: &[Tensor]) -> Result<()> {
    // SAFETY: the pointers are of tensors that live until the call returns, as in all functions of this file.
    done(unsafe { nnunet_forget_gradients(Pointers::new(tensors).list()) })
}

/// The L2 norm of all tensors together: a tensor without axes on their device. Waits for nothing.
///
/// # Errors
/// Returns an error if there are no tensors, or if they are on several devices.
pub fn total_norm(tensors: &[Tensor]) -> Result<Tensor> {
    let mut norm = std::ptr::null_mut();
    // SAFETY: as above; on success `norm` is a new tensor that is ours.
    unsafe {
        done(nnunet_total_norm(Pointers::new(tensors).list(), &raw mut norm))?;
        Ok(Tensor::from_ptr(norm))
    }
}

/// `tensors *= factor`, a tensor without axes.
///
/// # Errors
/// Returns an error of libtorch.
pub fn multiply(tensors: &[Tensor], factor: &Tensor) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_multiply(Pointers::new(tensors).list(), factor.as_ptr()) })
}

/// `tensors *= factor`
///
/// # Errors
/// Returns an error of libtorch.
pub fn multiply_scalar(tensors: &[Tensor], factor: f64) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_multiply_scalar(Pointers::new(tensors).list(), factor) })
}

/// `tensors += value`
///
/// # Errors
/// Returns an error of libtorch.
pub fn add_scalar(tensors: &[Tensor], value: f64) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_add_scalar(Pointers::new(tensors).list(), value) })
}

/// `tensors -= value`, a tensor without axes.
///
/// # Errors
/// Returns an error of libtorch.
pub fn subtract(tensors: &[Tensor], value: &Tensor) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_subtract(Pointers::new(tensors).list(), value.as_ptr()) })
}

/// `tensors += size * first / d`, where d is `sqrt(second) + eps` if `trusted` is 1 and 1 if it is 0. `trusted` and `size` have
/// no axes.
///
/// # Errors
/// Returns an error if the lists differ in length.
pub fn add_rectified(
    tensors: &[Tensor],
    first: &[Tensor],
    second: &[Tensor],
    eps: f64,
    trusted: &Tensor,
    size: &Tensor,
) -> Result<()> {
    let [tensors, first, second] = [tensors, first, second].map(Pointers::new);
    let (trusted, size) = (trusted.as_ptr(), size.as_ptr());
    // SAFETY: as above.
    done(unsafe { nnunet_add_rectified(tensors.list(), first.list(), second.list(), eps, trusted, size) })
}
