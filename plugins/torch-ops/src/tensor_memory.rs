//! Memory of large CPU tensors that stays with the process.

use std::ffi::c_char;

use tch::TchError;

use crate::call::done;

unsafe extern "C" {
    fn nnunet_keep_tensor_memory() -> *mut c_char;
    fn nnunet_trim_tensor_memory(keep: usize);
}

/// From here on the memory of CPU tensors of 128 KB and more is kept for the tensors that come next, on all threads. The process never takes more of it than its tensors need at a time, but for gaps
/// between them. To be called before there are tensors.
///
/// # Errors
/// Returns an error of libtorch.
pub fn keep_tensor_memory() -> Result<(), TchError> {
    // SAFETY: the function takes nothing.
    done(unsafe { nnunet_keep_tensor_memory() })
}

/// Gives the system what is kept and not used, if it is more than `keep` bytes.
pub fn trim_tensor_memory(keep: usize) {
    // SAFETY: the function takes a number.
    unsafe { nnunet_trim_tensor_memory(keep) }
}
