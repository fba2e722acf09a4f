//! How far a long step has come. Libraries report it here; the command line shows it.

use std::sync::OnceLock;

/// Shows the progress of steps.
pub trait Progress: Send + Sync {
    /// Starts showing a step of `len` parts.
    fn start(&self, len: usize, what: &str) -> Box<dyn Bar>;
}

/// The progress of one step. It is no longer shown when it is dropped.
pub trait Bar: Send + Sync {
    /// Adds finished parts.
    fn inc(&self, parts: u64);

    /// Sets the number of finished parts.
    fn set_position(&self, done: u64);
}

/// Shows nothing.
struct Hidden;

impl Bar for Hidden {
    fn inc(&self, _parts: u64) {}

    fn set_position(&self, _done: u64) {}
}

static PROGRESS: OnceLock<Box<dyn Progress>> = OnceLock::new();

/// Sets what shows progress in this process. Only the first call has an effect.
pub fn install(progress: Box<dyn Progress>) {
    let _ = PROGRESS.set(progress);
}

/// Starts a step of `len` parts. Nothing is shown in a process that has not called [`install`].
#[must_use]
pub fn start(len: usize, what: &str) -> Box<dyn Bar> {
    match PROGRESS.get() {
        Some(progress) => progress.start(len, what),
        None => Box::new(Hidden),
    }
}
