//! Tensors across the boundary: an owned pointer. Each image has its own copy of tch's C wrapper, only libtorch itself
//! is shared; the pointer is libtorch's.

use abi_stable::StableAbi;
use core::ffi::c_void;

/// An owned `at::Tensor*`. Whoever receives it frees it.
#[repr(transparent)]
#[derive(Debug, StableAbi)]
pub struct TensorHandle(*mut c_void);

// SAFETY: libtorch's tensors may move between threads; the handle is not shared (no Sync).
unsafe impl Send for TensorHandle {}

#[cfg(feature = "torch")]
mod convert {
    use std::mem::ManuallyDrop;

    use super::TensorHandle;
    use tch::Tensor;

    impl From<Tensor> for TensorHandle {
        fn from(tensor: Tensor) -> Self {
            Self(ManuallyDrop::new(tensor).as_mut_ptr().cast())
        }
    }

    impl From<TensorHandle> for Tensor {
        fn from(handle: TensorHandle) -> Self {
            // SAFETY: made from an owned tensor of the same libtorch (handshake), converted back once.
            unsafe { Tensor::from_ptr(handle.0.cast()) }
        }
    }
}
