//! libtorch's thread-wide modes, restored after every call into a plugin.

/// Remembers gradient mode and thread count; restores them when dropped. (Networks take their number format from their
/// input, so the host does not depend on autocast.)
pub(super) struct KeepModes {
    grad: i32,
    threads: i32,
}

impl KeepModes {
    pub(super) fn now() -> Self {
        // SAFETY: plain getters and setters of thread-local state; the gradient mode can only be read by setting it.
        unsafe {
            let grad = torch_sys::at_grad_set_enabled(1);
            torch_sys::at_grad_set_enabled(grad);
            Self { grad, threads: torch_sys::at_get_num_threads() }
        }
    }
}

impl Drop for KeepModes {
    fn drop(&mut self) {
        // SAFETY: as in `now`.
        unsafe {
            torch_sys::at_grad_set_enabled(self.grad);
            if torch_sys::at_get_num_threads() != self.threads {
                torch_sys::at_set_num_threads(self.threads);
            }
        }
    }
}
