//! Tensors across the boundary: an owned pointer. Each image has its own copy of tch's C wrapper, only libtorch itself
//! is shared; the pointer is libtorch's.

use abi_stable::StableAbi;
use core::ffi::c_void;

/// An owned `at::Tensor*`. Whoever receives it frees it: nnunet-plugin-torch makes a tensor of it.
#[repr(transparent)]
#[derive(Debug, StableAbi)]
pub struct TensorHandle(*mut c_void);

// SAFETY: libtorch's tensors may move between threads; the handle is not shared (no Sync).
unsafe impl Send for TensorHandle {}

impl TensorHandle {
    /// Wraps a pointer that the caller owns.
    #[must_use]
    pub const fn from_raw(tensor: *mut c_void) -> Self {
        Self(tensor)
    }

    /// The pointer, which stays this handle's.
    #[must_use]
    pub const fn as_raw(&self) -> *mut c_void {
        self.0
    }

    /// The pointer, which the caller owns from now on.
    #[must_use]
    pub const fn into_raw(self) -> *mut c_void {
        self.0
    }
}
