//! Tensors as handles, and back.

use std::mem::ManuallyDrop;

use nnunet_plugin_core::abi::v1::adapter::TensorHandle;
use tch::{Device, Tensor};

/// Gives a tensor away.
pub(super) fn to_handle(tensor: Tensor) -> TensorHandle {
    TensorHandle::from_raw(ManuallyDrop::new(tensor).as_mut_ptr().cast())
}

/// Takes a tensor over.
pub(super) fn from_handle(handle: TensorHandle) -> Tensor {
    // SAFETY: made from an owned tensor of the same libtorch (handshake), converted back once.
    unsafe { Tensor::from_ptr(handle.into_raw().cast()) }
}

/// A second owner of a tensor that is lent.
pub(super) fn lent(handle: &TensorHandle) -> Tensor {
    // SAFETY: a tensor of the same libtorch (handshake) that its owner keeps during the call; it is not dropped here.
    ManuallyDrop::new(unsafe { Tensor::from_ptr(handle.as_raw().cast()) }).shallow_clone()
}

/// A device, for messages.
pub(super) fn on(device: Device) -> String {
    format!("a tensor on {device:?}")
}
