//! Whole optimizer steps as one operator.

use std::ffi::c_char;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::{List, Pointers, done, pointer};

/// A step of gradient descent with momentum. The layout is the C++ part's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    /// Learning rate.
    pub learning_rate: f64,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Nesterov's momentum.
    pub nesterov: bool,
    /// The buffers have no values yet.
    pub is_first: bool,
}

/// A step of Adam. The layout is the C++ part's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// Learning rate.
    pub learning_rate: f64,
    /// Weight of the past in the first moment.
    pub beta1: f64,
    /// Weight of the past in the second moment.
    pub beta2: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// The largest second moment so far counts.
    pub amsgrad: bool,
}

/// What Adam keeps of parameters, list by list.
#[derive(Debug, Clone, Copy)]
pub struct AdamState<'a> {
    /// First moments.
    pub first: &'a [Tensor],
    /// Second moments.
    pub second: &'a [Tensor],
    /// Largest second moments; empty without AMSGrad.
    pub largest: &'a [Tensor],
    /// Numbers of steps, this one included, as tensors without axes on the device.
    pub steps: &'a [Tensor],
}

unsafe extern "C" {
    fn nnunet_sgd(p: List, g: List, b: List, how: SgdStep, skip: *const C_tensor) -> *mut c_char;
    fn nnunet_adam(
        p: List,
        g: List,
        first: List,
        second: List,
        largest: List,
        steps: List,
        how: AdamStep,
        skip: *const C_tensor,
    ) -> *mut c_char;
}

/// Changes parameters and momentum; nothing where `skip`, a tensor without axes, is 1. Gradients are used up.
///
/// # Errors
/// Returns an error if the lists differ in length, data type or device.
pub fn sgd(
    parameters: &[Tensor],
    gradients: &[Tensor],
    buffers: &[Tensor],
    how: SgdStep,
    skip: Option<&Tensor>,
) -> Result<(), TchError> {
    let [p, g, b] = [parameters, gradients, buffers].map(Pointers::new);
    // SAFETY: the pointers are of tensors that live until the call returns.
    done(unsafe { nnunet_sgd(p.list(), g.list(), b.list(), how, pointer(skip)) })
}

/// Changes parameters and moments; nothing where `skip` is 1.
///
/// # Errors
/// Returns an error if the lists differ in length, data type or device.
pub fn adam(
    parameters: &[Tensor],
    gradients: &[Tensor],
    state: AdamState<'_>,
    how: AdamStep,
    skip: Option<&Tensor>,
) -> Result<(), TchError> {
    let [p, g] = [parameters, gradients].map(Pointers::new);
    let [m, v, l, s] = [state.first, state.second, state.largest, state.steps].map(Pointers::new);
    // SAFETY: the pointers are of tensors that live until the call returns.
    done(unsafe {
        nnunet_adam(p.list(), g.list(), m.list(), v.list(), l.list(), s.list(), how, pointer(skip))
    })
}
