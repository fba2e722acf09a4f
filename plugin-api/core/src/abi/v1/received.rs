//! The host's side of every call: which component is running, libtorch's modes, and whose error it is.

use std::cell::Cell;
use std::sync::OnceLock;

use super::AbiResult;
use super::guard::from_abi;
use crate::abi::crash::ensure_handler_stack;
use crate::{Error, Result};

/// An object that came from a plugin, and the words that errors about it begin with.
pub struct Received<O> {
    object: O,
    label: String,
}

impl<O> Received<O> {
    /// Wraps an object.
    pub fn new(object: O, label: String) -> Self {
        Self { object, label }
    }

    /// `plugin NAME, KIND NAME`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Calls a method of the object.
    pub fn call<T>(&self, method: &'static str, body: impl FnOnce(&O) -> AbiResult<T>) -> Result<T> {
        let result = surrounded(&self.label, method, || body(&self.object));
        result.map_err(|error| self.named(method, error))
    }

    /// As [`Received::call`], with exclusive access.
    pub fn call_mut<T>(
        &mut self,
        method: &'static str,
        body: impl FnOnce(&mut O) -> AbiResult<T>,
    ) -> Result<T> {
        let result = surrounded(&self.label, method, || body(&mut self.object));
        result.map_err(|error| self.named(method, error))
    }

    /// An error of a method, with component and method in front.
    pub fn named(&self, method: &'static str, error: Error) -> Error {
        error.within(method).within(&self.label)
    }
}

/// Runs a plugin's code; afterwards libtorch's thread-wide modes are as before.
pub fn surrounded<T>(label: &str, method: &'static str, body: impl FnOnce() -> AbiResult<T>) -> Result<T> {
    ensure_handler_stack();
    let _running = Running::enter(label, method);
    let before = MODES.get().map(|modes| (modes.restore, (modes.read)()));
    let result = from_abi(body());
    if let Some((restore, before)) = before {
        restore(before);
    }
    result
}

/// How libtorch's thread-wide modes (gradients, autocast, threads) are read and restored. A program without tensors has
/// none.
#[derive(Debug, Clone, Copy)]
pub struct ThreadModes {
    /// The modes of this thread, as numbers that only `restore` understands.
    pub read: fn() -> [i32; 4],
    /// Sets the modes of this thread to what `read` returned, where they differ.
    pub restore: fn([i32; 4]),
}

static MODES: OnceLock<ThreadModes> = OnceLock::new();

/// From here on every call into a plugin leaves the thread's modes as they were.
pub fn restore_modes_with(modes: ThreadModes) {
    let _ = MODES.set(modes);
}

/// Component and method, as addresses: a signal handler reads them when there is nothing else left.
type Place = [(*const u8, usize); 2];

const NOWHERE: Place = [(std::ptr::null(), 0); 2];

thread_local! {
    static RUNNING: Cell<Place> = const { Cell::new(NOWHERE) };
}

/// Marks this thread as inside a plugin until it is dropped.
struct Running(Place);

impl Running {
    fn enter(label: &str, method: &'static str) -> Self {
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
pub fn with_running(report: impl FnOnce(&[u8], &[u8])) {
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
