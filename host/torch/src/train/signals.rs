//! Signals that ask a training to stop: Ctrl-C, SIGTERM, and SIGUSR1, which queues send before they take a machine
//! away.
//!
//! No handler is installed. A handler runs on the stack of whatever thread is interrupted, and oneDNN's matrix products
//! keep data below the stack pointer's usual place: the handler's frame would overwrite it. So the signals are
//! blocked in every thread, and one thread that computes nothing waits for them.
#![allow(unsafe_code, reason = "the system's functions for signals")]

use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use nnunet_cli::report;
use nnunet_engine::loader;

/// Exit code of a run that was asked to stop and left everything ready to continue.
pub(super) const STOPPED: u8 = 3;
/// Exit code when asked a second time.
const AT_ONCE: i32 = 130;

const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1];

static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether a signal has come.
pub(super) fn asked_to_stop() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Blocks the signals in this thread, and so in every thread that starts later, and waits for them in a thread of its
/// own: the first one asks, and the second ends the process at once. To be called before any other thread starts.
///
/// # Errors
/// Returns an error if the system has no room for a thread.
pub(crate) fn listen() -> Result<()> {
    static LISTENING: OnceLock<()> = OnceLock::new();
    if LISTENING.set(()).is_err() {
        return Ok(());
    }
    let signals = set();
    // SAFETY: the set is initialized, and the former mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) };
    let wait = move || {
        loop {
            let mut signal = 0;
            // SAFETY: the set is initialized, and `signal` is written to.
            if unsafe { libc::sigwait(&raw const signals, &raw mut signal) } == 0 {
                stop();
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("cannot wait for signals")?;
    Ok(())
}

fn stop() {
    if ASKED.swap(true, Ordering::SeqCst) {
        // SAFETY: ends the process without running destructors, which other threads may be using.
        unsafe { libc::_exit(AT_ONCE) }
    }
    loader::cancel();
    report::line("stopping after this step; interrupt again to stop immediately");
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initializes the set, and `sigaddset` adds signals that exist.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in SIGNALS {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}
