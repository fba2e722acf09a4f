//! The end of the process without the destructors of libtorch. They take apart tables of operators, for some 60 ms, whose memory
//! the system takes back anyway.
#![allow(unsafe_code, reason = "functions of glibc")]

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// From here on, a process that exits leaves out what was registered for that before. All that this program writes is on the
/// disk by then. If the system does not take it, the process ends as usual.
pub(crate) fn skip_destructors() {
    // SAFETY: the function lives as long as the process, and does not use its argument.
    unsafe { on_exit(leave, std::ptr::null_mut()) };
}

extern "C" fn leave(code: c_int, _: *mut c_void) {
    // SAFETY: writes what C code has printed and not yet written; then the process ends.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(code)
    }
}
