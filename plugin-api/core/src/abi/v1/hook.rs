//! Hooks of trainers across the boundary: a name, values that are lent for the call, and a message that comes back. A later
//! minor adds hooks and requests without another layout.

use core::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::std_types::{RSlice, RStr, RString, RVec};

use super::AbiResult;
use super::tensor::TensorHandle;

/// What is lent to a hook or a request: the tensors stay the caller's. Numbers that may be NaN are in `numbers`, all other
/// values in `text`, as JSON.
#[repr(C)]
#[derive(StableAbi)]
pub struct Lent<'a> {
    /// Tensors.
    pub tensors: RSlice<'a, TensorHandle>,
    /// Numbers.
    pub numbers: RSlice<'a, f64>,
    /// JSON; empty for nothing.
    pub text: RStr<'a>,
}

/// What a hook or a request returns. Whoever receives it owns its tensors.
#[repr(C)]
#[derive(StableAbi, Default)]
pub struct Message {
    /// Tensors.
    pub tensors: RVec<TensorHandle>,
    /// Numbers.
    pub numbers: RVec<f64>,
    /// JSON; empty for nothing.
    pub text: RString,
}

/// The training that a hook is called from, valid during the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct TrainingAbi {
    /// Handed back to `request`.
    pub context: *mut c_void,
    /// Asks the host for something by its name. An error for a name that the host does not know.
    pub request: extern "C" fn(context: *mut c_void, what: RStr<'_>, given: Lent<'_>) -> AbiResult<Message>,
}
