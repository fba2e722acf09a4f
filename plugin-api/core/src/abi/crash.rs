//! Names the plugin whose code ends the process. An abort (memory that is not there, a panic within a panic) or a fault
//! cannot be contained; but the user can be told whose it was.

use core::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::running::with_running;

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
    // SAFETY: a zeroed `sigaction` is a valid one; the handler does only what a handler may. The old action is stored before
    // the handler can run, which puts it back.
    unsafe {
        let old = Box::into_raw(Box::new(MaybeUninit::<libc::sigaction>::zeroed().assume_init()));
        if libc::sigaction(signal, ptr::null(), old) != 0 {
            drop(Box::from_raw(old));
            return;
        }
        before.store(old, Ordering::Release);
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction = report as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

/// Memory for a handler when a thread's own stack is used up. Threads of Rust have it; those that libtorch starts do not.
const STACK: usize = 64 * 1024;

/// A thread's stack for signal handlers, if it had none of its own.
struct HandlerStack(Option<Box<[u8]>>);

impl HandlerStack {
    fn ensure() -> Self {
        // SAFETY: a zeroed `stack_t` is a valid one; the memory stays until `drop` has disabled the stack.
        unsafe {
            let mut current = MaybeUninit::<libc::stack_t>::zeroed().assume_init();
            if libc::sigaltstack(ptr::null(), &mut current) != 0 || current.ss_flags & libc::SS_DISABLE == 0 {
                return Self(None);
            }
            let mut memory = vec![0_u8; STACK].into_boxed_slice();
            let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: STACK };
            Self((libc::sigaltstack(&stack, ptr::null_mut()) == 0).then_some(memory))
        }
    }
}

impl Drop for HandlerStack {
    fn drop(&mut self) {
        if self.0.is_some() {
            let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: STACK };
            // SAFETY: from here on the thread has no such stack, so its memory can go.
            unsafe { libc::sigaltstack(&none, ptr::null_mut()) };
        }
    }
}

thread_local! {
    static HANDLER_STACK: HandlerStack = HandlerStack::ensure();
}

/// Gives this thread a stack for signal handlers. Called before every call into a plugin.
pub(crate) fn ensure_handler_stack() {
    // A thread that is ending has lost its thread-locals, and nothing can be done.
    let _ = HANDLER_STACK.try_with(|_| ());
}

/// Writes the message and puts the old handler back. A fault comes again when this one returns; a signal that was sent by
/// somebody does not, and is raised again: the interrupted thread must not go on, because on a thread without a stack for
/// handlers this one has run on the stack of whatever was being computed.
extern "C" fn report(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
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
    // SAFETY: the system hands over a description of the signal; codes above 0 are the kernel's own.
    let is_sent = unsafe { info.as_ref() }.is_none_or(|info| info.si_code <= 0);
    if is_sent {
        // SAFETY: may be called in a handler; the signal is blocked until this one returns.
        unsafe { libc::raise(signal) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread that libc starts, as libtorch's are.
    extern "C" fn foreign(_: *mut c_void) -> *mut c_void {
        let enabled = || {
            // SAFETY: a getter.
            unsafe {
                let mut current = MaybeUninit::<libc::stack_t>::zeroed().assume_init();
                libc::sigaltstack(ptr::null(), &mut current) == 0 && current.ss_flags & libc::SS_DISABLE == 0
            }
        };
        let before = enabled();
        ensure_handler_stack();
        if !before && enabled() { ptr::without_provenance_mut(1) } else { ptr::null_mut() }
    }

    #[test]
    fn a_thread_of_another_library_gets_a_stack_for_handlers() {
        // SAFETY: the thread runs `foreign`, which needs no argument, and is joined here.
        let result = unsafe {
            let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
            assert_eq!(libc::pthread_create(thread.as_mut_ptr(), ptr::null(), foreign, ptr::null_mut()), 0);
            let mut result = ptr::null_mut();
            assert_eq!(libc::pthread_join(thread.assume_init(), &mut result), 0);
            result
        };
        assert!(!result.is_null());
    }
}
