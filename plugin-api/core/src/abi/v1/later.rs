//! Room in the frozen layout: a component of a kind that a later minor adds.

use core::ffi::c_void;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use abi_stable::StableAbi;
use abi_stable::type_layout::TypeLayout;

/// An owned object of a type that the first minor does not know. The kind's adapter makes and opens it; where the kind is
/// not known, it is only released.
#[repr(C)]
#[derive(StableAbi)]
pub struct LaterObject {
    layout: &'static TypeLayout,
    object: *mut c_void,
    release: extern "C" fn(*mut c_void),
}

// SAFETY: only `LaterObject::new` makes one, from a type that is `Send`.
unsafe impl Send for LaterObject {}

impl LaterObject {
    /// Wraps the object of a kind.
    #[must_use]
    pub fn new<T: StableAbi + Send + 'static>(object: T) -> Self {
        Self { layout: T::LAYOUT, object: Box::into_raw(Box::new(object)).cast(), release: release::<T> }
    }

    /// The object, if it is of this type. As elsewhere within a major, the type may have had fewer methods when the other
    /// side was compiled: those that are missing are looked up before they are called.
    #[must_use]
    pub fn open<T: StableAbi + Send + 'static>(self) -> Option<Opened<T>> {
        let is_type = same_type(self.layout, T::LAYOUT);
        is_type.then(|| Opened { object: self, is: PhantomData })
    }
}

/// The same type of the same crate. What was appended to it since is not compared.
fn same_type(made: &'static TypeLayout, wanted: &'static TypeLayout) -> bool {
    let name = |layout: &'static TypeLayout| (layout.package(), layout.full_type().to_string());
    (made.size(), made.alignment()) == (wanted.size(), wanted.alignment()) && name(made) == name(wanted)
}

extern "C" fn release<T>(object: *mut c_void) {
    // SAFETY: the pointer is that of `LaterObject::new`, which boxed a `T`, and an object is released once.
    drop(unsafe { Box::from_raw(object.cast::<T>()) });
}

impl Drop for LaterObject {
    fn drop(&mut self) {
        (self.release)(self.object);
    }
}

/// A [`LaterObject`] whose type is known. The other side's allocator keeps the memory.
pub struct Opened<T> {
    object: LaterObject,
    is: PhantomData<T>,
}

// SAFETY: only references to the `T` are given out.
unsafe impl<T: Sync> Sync for Opened<T> {}

impl<T> Deref for Opened<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `LaterObject::open` compared the type, and the object lives as long as `self`.
        unsafe { &*self.object.object.cast::<T>() }
    }
}

impl<T> DerefMut for Opened<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above; `self` is the only owner.
        unsafe { &mut *self.object.object.cast::<T>() }
    }
}

#[cfg(test)]
mod tests {
    use abi_stable::std_types::RString;

    use super::*;

    #[test]
    fn an_object_is_opened_as_its_own_type_only() {
        let object = || LaterObject::new(RString::from("kept"));
        assert_eq!(object().open::<RString>().map(|text| text.to_string()), Some("kept".to_owned()));
        assert!(object().open::<u64>().is_none());
        let mut text = object().open::<RString>().unwrap();
        text.push_str(", changed");
        assert_eq!(text.as_str(), "kept, changed");
    }
}
