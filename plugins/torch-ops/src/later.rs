//! Values that are read when the device has got to them.

use std::ffi::{c_char, c_void};
use std::ptr;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::done;

unsafe extern "C" {
    fn nnunet_read_later(
        values: *const C_tensor,
        host: *mut *mut C_tensor,
        event: *mut *mut c_void,
    ) -> *mut c_char;
    fn nnunet_wait_for_event(event: *mut c_void) -> *mut c_char;
    fn nnunet_free_event(event: *mut c_void);
}

/// A tensor on its way into main memory. Nothing waits until it is read, and then only for what had been started
/// before.
#[derive(Debug)]
pub struct ReadLater {
    host: Tensor,
    /// Null on the CPU.
    event: *mut c_void,
}

impl ReadLater {
    /// Starts the copy.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn new(values: &Tensor) -> Result<Self, TchError> {
        let (mut host, mut event) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: on success `host` is a new tensor and `event` null or a new event; both are ours.
        unsafe {
            done(nnunet_read_later(values.as_ptr(), &raw mut host, &raw mut event))?;
            Ok(Self { host: Tensor::from_ptr(host), event })
        }
    }

    /// The values.
    ///
    /// # Errors
    /// An error of the device.
    pub fn read(self) -> Result<Vec<f64>, TchError> {
        if !self.event.is_null() {
            // SAFETY: the event lives until this value is dropped.
            done(unsafe { nnunet_wait_for_event(self.event) })?;
        }
        Vec::<f64>::try_from(self.host.f_to_kind(tch::Kind::Double)?)
    }
}

impl Drop for ReadLater {
    fn drop(&mut self) {
        if !self.event.is_null() {
            // SAFETY: the event is ours and is not used again.
            unsafe { nnunet_free_event(self.event) };
        }
    }
}
