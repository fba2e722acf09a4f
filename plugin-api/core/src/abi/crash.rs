//! Names the plugin whose code ends the process. An abort (memory that is not there, a panic within a panic) or a fault
//! cannot be contained; but the user can be told whose it was.

use core::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::v1::with_running;

const FATAL: [(c_int, &str); 5] = [
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
];

/// What was done about the signals before.
static BEFORE: [AtomicPtr<libc::sigaction>; FATAL.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; FATAL.len()];

/// From here on a fatal signal during a call into a plugin prints component and method before it takes its course.
pub fn name_culprits() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| FATAL.iter().zip(&BEFORE).for_each(|((signal, _), before)| listen(*signal, before)));
}

fn listen(signal: c_int, before: &AtomicPtr<libc::sigaction>) {
    // SAFETY: a zeroed `sigaction` is a valid one; the handler does only what a handler may.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = report as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_ONSTACK;
        let old = Box::into_raw(Box::new(MaybeUninit::<libc::sigaction>::zeroed().assume_init()));
        if libc::sigaction(signal, &action, old) == 0 {
            before.store(old, Ordering::Release);
        }
    }
}

/// Writes the message and puts the old handler back; the signal comes again when this one returns.
extern "C" fn report(signal: c_int) {
    let Some(index) = FATAL.iter().position(|(known, _)| *known == signal) else { return };
    with_running(|label, method| {
        let name = FATAL[index].1.as_bytes();
        for part in [b"error: ".as_slice(), label, b": ", method, b": ended the process (", name, b")\n"] {
            // SAFETY: a slice that is alive; standard error may be closed, then nothing can be said.
            unsafe { libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.len()) };
        }
    });
    // SAFETY: the stored action was filled in by the system and is never freed.
    unsafe { libc::sigaction(signal, BEFORE[index].load(Ordering::Acquire), ptr::null_mut()) };
}
