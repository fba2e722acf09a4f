//! Whether the CPU computes with the operators of this crate or with libtorch's alone.

use std::sync::atomic::{AtomicBool, Ordering};

static OWN: AtomicBool = AtomicBool::new(true);

/// From here on the CPU computes with libtorch's operators alone, in the order in which a GPU does: slower, and with more
/// memory.
pub fn use_libtorch_operators() {
    OWN.store(false, Ordering::Relaxed);
}

/// False after [`use_libtorch_operators`].
#[must_use]
pub fn has_own_operators() -> bool {
    OWN.load(Ordering::Relaxed)
}
