//! Containment: a panic of the author's code becomes an error value, and the object is not used again.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

use abi_stable::StableAbi;
use abi_stable::std_types::{RErr, ROk, RString};

use super::AbiResult;
use crate::{Error, Result};

/// What kind of error crossed the boundary.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, StableAbi)]
pub struct ErrorCode(u32);

impl ErrorCode {
    const MESSAGE: Self = Self(0);
    const PANIC: Self = Self(1);
    const CANCELLED: Self = Self(2);
    const NOT_FINITE: Self = Self(3);
}

/// An error as it crosses the boundary.
#[repr(C)]
#[derive(Debug, Clone, StableAbi)]
pub struct AbiError {
    code: ErrorCode,
    message: RString,
}

impl From<Error> for AbiError {
    fn from(error: Error) -> Self {
        let (code, message) = match error {
            Error::Panic(message) => (ErrorCode::PANIC, message),
            Error::NotFinite(what) => (ErrorCode::NOT_FINITE, what),
            error if error.is_cancelled() => (ErrorCode::CANCELLED, String::new()),
            other => (ErrorCode::MESSAGE, other.to_string()),
        };
        Self { code, message: message.into() }
    }
}

impl From<AbiError> for Error {
    fn from(error: AbiError) -> Self {
        let message = error.message.into_string();
        match error.code {
            ErrorCode::PANIC => Error::Panic(message),
            ErrorCode::NOT_FINITE => Error::NotFinite(message),
            ErrorCode::CANCELLED => Error::Cancelled,
            _ => Error::Message(message),
        }
    }
}

/// Turns a result into its form for the boundary.
pub fn to_abi<T>(result: Result<T>) -> AbiResult<T> {
    match result {
        Ok(value) => ROk(value),
        Err(error) => RErr(error.into()),
    }
}

/// Turns a result from the boundary into ours.
pub fn from_abi<T>(result: AbiResult<T>) -> Result<T> {
    result.into_result().map_err(Error::from)
}

/// Runs author code; a panic becomes an error.
pub fn contain<T>(body: impl FnOnce() -> Result<T>) -> AbiResult<T> {
    record_panics_of_this_image();
    to_abi(match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => Err(Error::Panic(panic_message(&*payload))),
    })
}

/// An author's object, and how it panicked if it has.
pub struct Guarded<T> {
    object: ManuallyDrop<T>,
    panicked: OnceLock<RString>,
}

impl<T> Guarded<T> {
    /// Wraps an object.
    pub fn new(object: T) -> Self {
        Self { object: ManuallyDrop::new(object), panicked: OnceLock::new() }
    }

    /// Runs `body` on the object unless an earlier call panicked.
    pub fn call<R>(&self, body: impl FnOnce(&T) -> Result<R>) -> AbiResult<R> {
        if let Some(how) = self.panicked.get() {
            return not_used_again(how);
        }
        self.marking(contain(|| body(&self.object)))
    }

    /// As [`Guarded::call`], with exclusive access.
    pub fn call_mut<R>(&mut self, body: impl FnOnce(&mut T) -> Result<R>) -> AbiResult<R> {
        if let Some(how) = self.panicked.get() {
            return not_used_again(how);
        }
        let object = &mut self.object;
        let result = contain(|| body(object));
        self.marking(result)
    }

    fn marking<R>(&self, result: AbiResult<R>) -> AbiResult<R> {
        if let RErr(AbiError { code: ErrorCode::PANIC, message }) = &result {
            self.panicked.get_or_init(|| message.clone());
        }
        result
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // A panic in the author's `drop` must not cross the boundary, and there is nobody left to report it to.
        let _ = contain(|| {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.object) };
            Ok(())
        });
    }
}

fn not_used_again<R>(how: &str) -> AbiResult<R> {
    RErr(Error::message(format!("not used again after it panicked: {how}")).into())
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether this copy of the crate lives in a plugin's image.
static PLUGIN_IMAGE: AtomicBool = AtomicBool::new(false);

/// From now on this copy of the crate knows that it lives in a plugin's image.
pub(super) fn mark_plugin_image() {
    PLUGIN_IMAGE.store(true, Ordering::Release);
}

/// Every image has its own panic hook. In a plugin's image ours keeps the place of a contained panic for the error
/// message instead of printing it.
fn record_panics_of_this_image() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !PLUGIN_IMAGE.load(Ordering::Acquire) {
            return;
        }
        std::panic::set_hook(Box::new(|info| {
            let place =
                info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
            let message = format!("{}{place}", payload_text(info.payload()));
            LAST_PANIC.with(|last| *last.borrow_mut() = Some(message));
        }));
    });
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    LAST_PANIC.with(|last| last.borrow_mut().take()).unwrap_or_else(|| payload_text(payload))
}

fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
