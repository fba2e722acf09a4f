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
    fn nnunet_add(tensors: List, others: List, alpha: f64) -> *mut c_char;
    fn nnunet_add_products(tensors: List, a: List, b: List, value: f64) -> *mut c_char;
    fn nnunet_add_quotients(tensors: List, a: List, b: List, eps: f64, value: f64) -> *mut c_char;
    fn nnunet_move_towards(tensors: List, others: List, weight: f64) -> *mut c_char;
    fn nnunet_copy(tensors: List, from: List) -> *mut c_char;
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

/// `tensors += alpha * others`
///
/// # Errors
/// Returns an error if the lists differ in length.
pub fn add(tensors: &[Tensor], others: &[Tensor], alpha: f64) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_add(Pointers::new(tensors).list(), Pointers::new(others).list(), alpha) })
}

/// `tensors += value * a * b`
///
/// # Errors
/// Returns an error if the lists differ in length.
pub fn add_products(tensors: &[Tensor], a: &[Tensor], b: &[Tensor], value: f64) -> Result<()> {
    let [tensors, a, b] = [tensors, a, b].map(Pointers::new);
    // SAFETY: as above.
    done(unsafe { nnunet_add_products(tensors.list(), a.list(), b.list(), value) })
}

/// `tensors += value * a / (sqrt(b) + eps)`
///
/// # Errors
/// Returns an error if the lists differ in length.
pub fn add_quotients(tensors: &[Tensor], a: &[Tensor], b: &[Tensor], eps: f64, value: f64) -> Result<()> {
    let [tensors, a, b] = [tensors, a, b].map(Pointers::new);
    // SAFETY: as above.
    done(unsafe { nnunet_add_quotients(tensors.list(), a.list(), b.list(), eps, value) })
}

/// `tensors += weight * (others - tensors)`
///
/// # Errors
/// Returns an error if the lists differ in length.
pub fn move_towards(tensors: &[Tensor], others: &[Tensor], weight: f64) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_move_towards(Pointers::new(tensors).list(), Pointers::new(others).list(), weight) })
}

/// Copies values.
///
/// # Errors
/// Returns an error if the lists differ in length.
pub fn copy(tensors: &[Tensor], from: &[Tensor]) -> Result<()> {
    // SAFETY: as above.
    done(unsafe { nnunet_copy(Pointers::new(tensors).list(), Pointers::new(from).list()) })
}
