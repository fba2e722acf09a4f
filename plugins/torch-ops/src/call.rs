//! Lists of tensors and errors as they cross to the C++ part.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

/// `Tensors` of the C++ part.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct List {
    first: *const *const C_tensor,
    count: usize,
}

/// Pointers to tensors that outlive it.
pub(crate) struct Pointers<'a> {
    all: Vec<*const C_tensor>,
    tensors: PhantomData<&'a Tensor>,
}

impl<'a> Pointers<'a> {
    pub(crate) fn new(tensors: &'a [Tensor]) -> Self {
        Self { all: tensors.iter().map(Tensor::as_ptr).collect(), tensors: PhantomData }
    }

    pub(crate) fn list(&self) -> List {
        List { first: self.all.as_ptr(), count: self.all.len() }
    }
}

pub(crate) fn pointer(tensor: Option<&Tensor>) -> *const C_tensor {
    tensor.map_or(std::ptr::null(), Tensor::as_ptr)
}

unsafe extern "C" {
    fn nnunet_free_message(message: *mut c_char);
}

/// What the C++ part returned: null, or a message.
pub(crate) fn done(message: *mut c_char) -> Result<(), TchError> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: a message that is not null is a C string, and ours to free.
    Err(TchError::Torch(unsafe { text(message) }))
}

/// Takes a text of the C++ part.
///
/// # Safety
/// It is a C string for `nnunet_free_message`, and is not used again.
pub(crate) unsafe fn text(message: *mut c_char) -> String {
    // SAFETY: as the caller promises.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        nnunet_free_message(message);
        text
    }
}
