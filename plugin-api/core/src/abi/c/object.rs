//! An object that a plugin made through the C interface, and the calls to it.

use core::ffi::{CStr, c_char, c_void};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use abi_stable::std_types::RStr;

use super::types::{CComponent, CError, CHost, ERROR_CAPACITY};
use crate::abi::v1::{services, surrounded, to_abi};
use crate::{Config, Error, Result};

/// An owned object with the component that made it.
pub(super) struct CObject {
    component: &'static CComponent,
    object: *mut c_void,
    label: String,
    sized: bool,
}

// SAFETY: the interface demands objects that any thread may use, several at once.
unsafe impl Send for CObject {}
// SAFETY: as above.
unsafe impl Sync for CObject {}

impl CObject {
    pub(super) fn create(
        component: &'static CComponent,
        sized: bool,
        config: &Config,
        label: &str,
    ) -> Result<Self> {
        let named = |error: Error| error.within("create").within(label);
        let missing = |what: &str| Error::message(format!("the component has no function `{what}`"));
        let create = component.create.ok_or_else(|| named(missing("create")))?;
        let text = serde_json::to_string(config).map_err(|error| named(Error::message(error.to_string())))?;
        let text = CString::new(text).map_err(|error| named(Error::message(error.to_string())))?;
        let mut error = no_message();
        let object = surrounded(label, "create", || {
            // SAFETY: a function of the plugin with the arguments its interface wants; all outlive the call.
            let object = unsafe { create(text.as_ptr(), &HOST, seen(sized, &raw mut error)) };
            to_abi(if object.is_null() { Err(message(&error)) } else { Ok(Pointer(object)) })
        })
        .map_err(named)?;
        Ok(Self { component, object: object.0, label: label.to_owned(), sized })
    }

    /// Calls a function of the component that returns 0 or leaves a message.
    pub(super) fn call<F: Copy>(
        &self,
        method: &'static str,
        function: impl Fn(&CComponent) -> Option<F>,
        body: impl FnOnce(F, *mut c_void, *mut CError) -> i32,
    ) -> Result<()> {
        let mut error = no_message();
        let done = match function(self.component) {
            None => Err(Error::message("the component has no such function")),
            Some(function) => surrounded(&self.label, method, || {
                let code = body(function, self.object, self.seen(&raw mut error));
                to_abi(if code == 0 { Ok(()) } else { Err(message(&error)) })
            }),
        };
        done.map_err(|error| self.named(method, error))
    }

    /// A struct as the plugin sees it.
    pub(super) fn seen<T>(&self, value: *mut T) -> *mut T {
        seen(self.sized, value)
    }

    /// Whether the plugin's structs begin with their size.
    pub(super) fn is_sized(&self) -> bool {
        self.sized
    }

    /// An error with component and method in front.
    pub(super) fn named(&self, method: &'static str, error: Error) -> Error {
        error.within(method).within(&self.label)
    }
}

impl Drop for CObject {
    fn drop(&mut self) {
        if let Some(destroy) = self.component.destroy {
            // SAFETY: made by `create` of the same component, ended once.
            unsafe { destroy(self.object) };
        }
    }
}

/// A struct as a plugin sees it: plugins before ABI 1.2 know it without the size that it begins with.
fn seen<T>(sized: bool, value: *mut T) -> *mut T {
    if sized {
        value
    } else {
        // SAFETY: every struct of the interface is larger than the size it begins with.
        unsafe { value.byte_add(size_of::<usize>()) }
    }
}

struct Pointer(*mut c_void);

fn no_message() -> CError {
    CError { size: size_of::<CError>(), text: [0; ERROR_CAPACITY] }
}

fn message(error: &CError) -> Error {
    let bytes: Vec<u8> = error.text.iter().take_while(|byte| **byte != 0).map(|byte| *byte as u8).collect();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Error::message(if text.is_empty() { "failed without a message".to_owned() } else { text })
}

/// A path as C wants it.
pub(super) fn path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::message(format!("{}: a path with a zero byte", path.display())))
}

static HOST: CHost = CHost { size: size_of::<CHost>(), log, progress, cancelled, seed };

/// A text of the plugin; empty when it is null.
fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the interface demands an end mark.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn log(message: *const c_char) {
    if let Some(services) = services() {
        (services.log())(RStr::from(&*text(message)));
    }
}

unsafe extern "C" fn progress(what: *const c_char, done: u64, of: u64) {
    if let Some(services) = services() {
        (services.progress())(RStr::from(&*text(what)), done, of);
    }
}

extern "C" fn cancelled() -> bool {
    services().is_some_and(|services| (services.cancelled())())
}

extern "C" fn seed() -> u64 {
    services().map_or(0, |services| (services.seed())())
}
