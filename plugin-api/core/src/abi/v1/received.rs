//! The host's side of every call: which component is running, libtorch's modes, and whose error it is.

use std::sync::OnceLock;

use super::AbiResult;
use super::guard::from_abi;
use crate::abi::crash::ensure_handler_stack;
use crate::abi::running::Running;
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
