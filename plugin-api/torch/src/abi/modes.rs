//! libtorch's thread-wide modes, restored after every call into a plugin.

use std::sync::atomic::{AtomicUsize, Ordering};

use nnunet_plugin_core::abi::v1::adapter::ThreadModes;

// SAFETY: the functions of `shim/autocast.cpp`, which take and return plain values. tch's own getter is libtorch's
// deprecated one, which prints a warning whenever it is asked.
unsafe extern "C" {
    safe fn nnunet_autocast_enabled(device: i8) -> bool;
    safe fn nnunet_set_autocast_enabled(device: i8, enabled: bool);
}

/// `c10::DeviceType` of the devices that networks run on: CPU and CUDA.
const DEVICES: [i8; 2] = [0, 1];

/// How modes are read and restored: gradients, threads, and autocast on every device.
pub(super) const MODES: ThreadModes = ThreadModes { read, restore };

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

fn read() -> [i32; 4] {
    // SAFETY: a getter.
    let threads = unsafe { torch_sys::at_get_num_threads() };
    let [cpu, cuda] = DEVICES.map(|device| i32::from(nnunet_autocast_enabled(device)));
    [gradient_mode(), threads, cpu, cuda]
}

fn restore(before: [i32; 4]) {
    let now = read();
    if now == before {
        return;
    }
    LEAKS.fetch_add(1, Ordering::Relaxed);
    let [gradients, threads, autocast @ ..] = before;
    // SAFETY: setters of thread-local state.
    unsafe {
        torch_sys::at_grad_set_enabled(gradients);
        if now[1] != threads {
            torch_sys::at_set_num_threads(threads);
        }
    }
    for (index, device) in DEVICES.into_iter().enumerate() {
        if now[2 + index] != autocast[index] {
            nnunet_set_autocast_enabled(device, autocast[index] != 0);
        }
    }
}
