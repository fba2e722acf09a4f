//! The component and the method that a thread is in, for the message about a crash.

use std::cell::Cell;

/// Component and method, as addresses: a signal handler reads them when there is nothing else left.
type Place = [(*const u8, usize); 2];

const NOWHERE: Place = [(std::ptr::null(), 0); 2];

thread_local! {
    static RUNNING: Cell<Place> = const { Cell::new(NOWHERE) };
}

/// Marks this thread as inside a plugin until it is dropped.
pub(crate) struct Running(Place);

impl Running {
    pub(crate) fn enter(label: &str, method: &'static str) -> Self {
        let place = [(label.as_ptr(), label.len()), (method.as_ptr(), method.len())];
        Self(RUNNING.replace(place))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// Hands component and method of the plugin call that this thread is in to `report`, if it is in one. Allocates nothing
/// and takes no lock, so a signal handler may call it.
pub(super) fn with_running(report: impl FnOnce(&[u8], &[u8])) {
    let [label, method] = RUNNING.get();
    if label.0.is_null() {
        return;
    }
    // SAFETY: both texts outlive the `Running` that put them there, and that one is still alive.
    let texts = unsafe {
        [std::slice::from_raw_parts(label.0, label.1), std::slice::from_raw_parts(method.0, method.1)]
    };
    report(texts[0], texts[1]);
}
