//! Room in the frozen layout: a component of a kind that a later minor adds.

use core::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::type_layout::TypeLayout;

/// An owned object of a type that this minor does not know. A later minor makes and opens it after it has compared the
/// layouts; here it is only released.
#[repr(C)]
#[derive(StableAbi)]
pub struct LaterObject {
    layout: &'static TypeLayout,
    object: *mut c_void,
    release: extern "C" fn(*mut c_void),
}

// SAFETY: components move between threads; the object is not shared.
unsafe impl Send for LaterObject {}

impl Drop for LaterObject {
    fn drop(&mut self) {
        (self.release)(self.object);
    }
}
