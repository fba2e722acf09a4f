//! libtorch's thread-wide modes, restored after every call into a plugin.

use std::sync::atomic::{AtomicUsize, Ordering};

// SAFETY: C++ functions of libtorch 2.11 (`at::autocast`), which take and return plain values. The handshake ties both
// sides to this libtorch. tch's own getter is the deprecated one, which prints a warning whenever it is asked.
unsafe extern "C" {
    #[link_name = "_ZN2at8autocast19is_autocast_enabledEN3c1010DeviceTypeE"]
    safe fn is_autocast_enabled(device: i8) -> bool;
    #[link_name = "_ZN2at8autocast20set_autocast_enabledEN3c1010DeviceTypeEb"]
    safe fn set_autocast_enabled(device: i8, enabled: bool);
}

/// `c10::DeviceType` of the devices that networks run on: CPU and CUDA.
const DEVICES: [i8; 2] = [0, 1];

/// Whether gradients are recorded on this thread, as libtorch's number. It can only be read by setting it.
pub(super) fn gradient_mode() -> i32 {
    // SAFETY: thread-local state, set back at once.
    unsafe {
        let mode = torch_sys::at_grad_set_enabled(1);
        torch_sys::at_grad_set_enabled(mode);
        mode
    }
}

/// How often a plugin has changed a mode.
static LEAKS: AtomicUsize = AtomicUsize::new(0);

/// How many calls so far left a mode changed, which was then restored.
pub fn leaked_modes() -> usize {
    LEAKS.load(Ordering::Relaxed)
}

/// Remembers gradient mode, autocast and thread count; restores them when dropped.
pub(super) struct KeepModes {
    grad: i32,
    threads: i32,
    autocast: [bool; 2],
}

impl KeepModes {
    pub(super) fn now() -> Self {
        // SAFETY: a getter.
        let threads = unsafe { torch_sys::at_get_num_threads() };
        Self { grad: gradient_mode(), threads, autocast: DEVICES.map(|device| is_autocast_enabled(device)) }
    }
}

impl Drop for KeepModes {
    fn drop(&mut self) {
        if !self.hold() {
            LEAKS.fetch_add(1, Ordering::Relaxed);
            self.restore();
        }
    }
}

impl KeepModes {
    fn hold(&self) -> bool {
        // SAFETY: a getter.
        let threads = unsafe { torch_sys::at_get_num_threads() };
        gradient_mode() == self.grad
            && threads == self.threads
            && DEVICES.map(|device| is_autocast_enabled(device)) == self.autocast
    }

    fn restore(&self) {
        // SAFETY: setters of thread-local state.
        unsafe {
            torch_sys::at_grad_set_enabled(self.grad);
            if torch_sys::at_get_num_threads() != self.threads {
                torch_sys::at_set_num_threads(self.threads);
            }
        }
        for (device, before) in DEVICES.into_iter().zip(self.autocast) {
            if is_autocast_enabled(device) != before {
                set_autocast_enabled(device, before);
            }
        }
    }
}
