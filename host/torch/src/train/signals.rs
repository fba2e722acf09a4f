//! Signals that ask a training to stop: Ctrl-C, SIGTERM, and SIGUSR1, which queues send before they take a machine away.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_engine::loader;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// Exit code of a run that was asked to stop and left everything ready to go on.
pub(super) const STOPPED: u8 = 3;
/// Exit code when asked a second time.
const AT_ONCE: i32 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether a signal has come.
pub(super) fn asked_to_stop() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// From here on the first signal asks, and the second ends the process at once.
pub(super) fn listen() -> Result<()> {
    static LISTENING: OnceLock<()> = OnceLock::new();
    if LISTENING.set(()).is_err() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1]).context("listening to signals")?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if ASKED.swap(true, Ordering::SeqCst) {
                std::process::exit(AT_ONCE);
            }
            loader::cancel();
            report::line("stopping after this step; once more to stop at once");
        }
    });
    Ok(())
}
