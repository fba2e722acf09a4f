//! libtorch's thread-wide modes, restored after every call into a plugin.

/// Whether gradients are recorded on this thread, as libtorch's number. It can only be read by setting it.
pub(super) fn gradient_mode() -> i32 {
    // SAFETY: thread-local state, set back at once.
    unsafe {
        let mode = torch_sys::at_grad_set_enabled(1);
        torch_sys::at_grad_set_enabled(mode);
        mode
    }
}

/// Remembers gradient mode and thread count; restores them when dropped. (Networks take their number format from their
/// input, so the host does not depend on autocast.)
pub(super) struct KeepModes {
    grad: i32,
    threads: i32,
}

impl KeepModes {
    pub(super) fn now() -> Self {
        // SAFETY: a getter.
        Self { grad: gradient_mode(), threads: unsafe { torch_sys::at_get_num_threads() } }
    }
}

impl Drop for KeepModes {
    fn drop(&mut self) {
        // SAFETY: setters of thread-local state.
        unsafe {
            torch_sys::at_grad_set_enabled(self.grad);
            if torch_sys::at_get_num_threads() != self.threads {
                torch_sys::at_set_num_threads(self.threads);
            }
        }
    }
}
