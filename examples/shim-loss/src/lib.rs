//! Cross entropy through PyTorch's stable C shim alone: no tch, no C++, and any libtorch from 2.10 on.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};

use nnunet_plugin_core::abi::shim::{ShimLoss, TensorHandle};
use nnunet_plugin_core::{
    Component, Error, Info, Kind, Registration, Result, export_plugin_with_shim, inventory,
};

export_plugin_with_shim!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "ShimCrossEntropy", "Cross entropy through PyTorch's stable C shim.");
    Component::shim_loss(info, |_config| Ok(Box::new(ShimCrossEntropy)))
}));

// SAFETY: as `torch/csrc/stable/c/shim.h` and `torch/csrc/inductor/aoti_torch/c/shim.h` of PyTorch declare them.
unsafe extern "C" {
    fn aoti_torch_delete_tensor_object(tensor: *mut c_void) -> i32;
    fn torch_call_dispatcher(
        name: *const c_char,
        overload: *const c_char,
        stack: *mut u64,
        built: u64,
    ) -> i32;
}

/// The version of libtorch whose operators this file was written for: 2.10.0.
const BUILT_FOR: u64 = (2 << 56) | (10 << 48);
/// No value, as an optional argument.
const NONE: u64 = 0;

/// A tensor of one's own.
struct Tensor(*mut c_void);

impl Tensor {
    /// As an argument, which the operator frees.
    fn argument(self) -> u64 {
        std::mem::ManuallyDrop::new(self).0 as u64
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        // SAFETY: owned, deleted once.
        unsafe { aoti_torch_delete_tensor_object(self.0) };
    }
}

/// Calls an operator of PyTorch that returns a tensor.
fn call<const N: usize>(name: &CStr, overload: &CStr, mut stack: [u64; N]) -> Result<Tensor> {
    // SAFETY: the stack has the arguments of the operator's schema, and room for what it returns.
    let code =
        unsafe { torch_call_dispatcher(name.as_ptr(), overload.as_ptr(), stack.as_mut_ptr(), BUILT_FOR) };
    if code == 0 {
        Ok(Tensor(stack[0] as *mut c_void))
    } else {
        Err(Error::message(format!("{name:?} fails")))
    }
}

struct ShimCrossEntropy;

impl ShimLoss for ShimCrossEntropy {
    fn forward(&self, logits: TensorHandle, target: TensorHandle) -> Result<TensorHandle> {
        let [logits, target] = [logits, target].map(|handle| Tensor(handle.into_raw()));
        let (dim, index, mean, ignored) = (1, 0, 1, -100_i64 as u64);
        let log_p = call(c"aten::log_softmax", c"int", [logits.argument(), dim, NONE])?;
        let labels = call(c"aten::select", c"int", [target.argument(), dim, index])?;
        let loss = [log_p.argument(), labels.argument(), NONE, mean, ignored];
        call(c"aten::nll_loss_nd", c"", loss)
            .map(|loss| TensorHandle::from_raw(loss.argument() as *mut c_void))
    }
}
