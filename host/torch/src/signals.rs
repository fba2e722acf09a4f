//! Signals without handlers. A handler runs on the stack of whatever thread is interrupted, and oneDNN's matrix products
//! keep data below the stack pointer's usual place: the handler's frame would overwrite it. So the signals are blocked in
//! every thread, and one thread that computes nothing reads them from a descriptor.
#![allow(unsafe_code, reason = "the system's functions for signals")]

use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::FromRawFd;

use anyhow::{Context, Result};
pub use nnunet_cli::stop_signals;

/// Blocks the [signals that ask to stop](stop_signals) in this thread, and so in every thread that starts later, and calls `on_signal` for each that comes,
/// in a thread of its own. To be called before any other thread starts.
///
/// # Errors
/// Returns an error if the system has no room for a descriptor or a thread.
pub fn listen(mut on_signal: impl FnMut() + Send + 'static) -> Result<()> {
    let signals = set();
    // SAFETY: the set is initialized, and the former mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut()) };
    let mut arrivals = descriptor(&signals).context("cannot wait for signals")?;
    let wait = move || {
        let mut arrived = [0; size_of::<libc::signalfd_siginfo>()];
        // Reading is interrupted when the process is stopped and continues; any other error would repeat for ever.
        while arrivals.read_exact(&mut arrived).is_ok() {
            on_signal();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("cannot wait for signals")?;
    Ok(())
}

/// A descriptor from which blocked signals are read. While a thread waits with `sigwait` instead, it does not block them.
fn descriptor(signals: &libc::sigset_t) -> std::io::Result<File> {
    // SAFETY: the set is initialized, and -1 asks for a new descriptor.
    let descriptor = unsafe { libc::signalfd(-1, signals, libc::SFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initializes the set, and `sigaddset` adds signals that exist.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in stop_signals() {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}
