//! Memory of a GPU.

use std::ffi::c_char;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::done;

/// Bytes of a GPU. The layout is the C++ part's.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Of this process's tensors.
    pub allocated: u64,
    /// The most there were at a time.
    pub peak: u64,
    /// Free on the device.
    pub free: u64,
    /// Of the device.
    pub total: u64,
}

unsafe extern "C" {
    fn nnunet_pin(tensor: *const C_tensor, pinned: *mut *mut C_tensor) -> *mut c_char;
    fn nnunet_device_memory(index: i32, reset_peak: bool, memory: *mut DeviceMemory) -> *mut c_char;
}

/// A copy in pinned memory, from which a GPU reads while the program goes on.
///
/// # Errors
/// Returns an error if there is no GPU or not enough memory.
pub fn pinned(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut pinned = std::ptr::null_mut();
    // SAFETY: on success `pinned` is a new tensor that is ours.
    unsafe {
        done(nnunet_pin(tensor.as_ptr(), &raw mut pinned))?;
        Ok(Tensor::from_ptr(pinned))
    }
}

/// Memory of the GPU of an index; with `reset_peak` the peak is counted anew from here.
///
/// # Errors
/// Returns an error if there is no such GPU.
pub fn device_memory(index: usize, reset_peak: bool) -> Result<DeviceMemory, TchError> {
    let mut memory = DeviceMemory::default();
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    // SAFETY: the function writes one structure of this layout.
    done(unsafe { nnunet_device_memory(index, reset_peak, &raw mut memory) })?;
    Ok(memory)
}
