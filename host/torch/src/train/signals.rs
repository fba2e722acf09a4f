//! Signals that ask a training to stop: the first one asks, and the second ends the process at once.
#![allow(unsafe_code, reason = "the end of the process")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
pub(super) use nnunet_cli::commands::train::STOPPED;
use nnunet_cli::report;
use nnunet_engine::loader;

use crate::signals;

/// Exit code when asked a second time.
const AT_ONCE: i32 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether a signal has been received.
pub(crate) fn asked_to_stop() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Waits for signals from now on. To be called before any other thread starts.
///
/// # Errors
/// As [`signals::listen`].
pub(crate) fn listen() -> Result<()> {
    static LISTENING: OnceLock<()> = OnceLock::new();
    if LISTENING.set(()).is_err() { Ok(()) } else { signals::listen(stop) }
}

fn stop() {
    if ASKED.swap(true, Ordering::SeqCst) {
        // SAFETY: ends the process without running destructors, which other threads may be using.
        unsafe { libc::_exit(AT_ONCE) }
    }
    loader::cancel();
    report::line("stopping after this step; interrupt again to stop immediately");
}
