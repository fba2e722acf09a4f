//! Copies to a GPU that run beside its kernels.

use std::ffi::{c_char, c_void};
use std::ptr;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::call::{List, Pointers, done};

unsafe extern "C" {
    fn nnunet_start_upload(
        tensors: List,
        index: i32,
        copies: *mut *mut C_tensor,
        event: *mut *mut c_void,
    ) -> *mut c_char;
    fn nnunet_finish_upload(copies: List, event: *mut c_void) -> *mut c_char;
    fn nnunet_free_event(event: *mut c_void);
}

/// Tensors on their way to a GPU, on a stream of their own. From pinned memory they are copied while kernels run.
#[derive(Debug)]
pub struct Upload {
    copies: Vec<Tensor>,
    event: *mut c_void,
}

impl Upload {
    /// Starts the copies.
    ///
    /// # Errors
    /// Returns an error if the GPU does not exist or has no memory left.
    pub fn start(tensors: &[Tensor], gpu: usize) -> Result<Self, TchError> {
        let mut copies = vec![ptr::null_mut(); tensors.len()];
        let mut event = ptr::null_mut();
        let index = i32::try_from(gpu).unwrap_or(i32::MAX);
        let pointers = Pointers::new(tensors);
        // SAFETY: `copies` has room for as many tensors; on success they are new tensors and `event` a new event, all ours.
        unsafe {
            done(nnunet_start_upload(pointers.list(), index, copies.as_mut_ptr(), &raw mut event))?;
            Ok(Self { copies: copies.into_iter().map(|copy| Tensor::from_ptr(copy)).collect(), event })
        }
    }

    /// The tensors on the GPU. The program does not wait; kernels that are started from here on run after the copies.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn finish(mut self) -> Result<Vec<Tensor>, TchError> {
        let copies = std::mem::take(&mut self.copies);
        // SAFETY: the pointers are of tensors that live until the call returns, and the event until this value is dropped.
        done(unsafe { nnunet_finish_upload(Pointers::new(&copies).list(), self.event) })?;
        Ok(copies)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // SAFETY: the event is ours and is not used again.
        unsafe { nnunet_free_event(self.event) };
    }
}
