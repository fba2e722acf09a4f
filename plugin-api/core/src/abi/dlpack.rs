//! Arrays as DLPack's `DLManagedTensorVersioned`, which PyTorch, NumPy, JAX and others exchange without copies.

use core::ffi::c_void;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use crate::{Error, Result};

/// Version of DLPack whose structs these are.
pub const DLPACK_VERSION: DLPackVersion = DLPackVersion { major: 1, minor: 0 };
/// `kDLCPU`.
const CPU: i32 = 1;
/// `kDLFloat` of 32 bits.
const FLOAT: DLDataType = DLDataType { code: 2, bits: 32, lanes: 1 };
/// Most axes of an array here.
const MOST_AXES: i32 = 8;

/// `DLPackVersion`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DLPackVersion {
    /// Versions of another major have other structs.
    pub major: u32,
    /// Versions of another minor have the same structs.
    pub minor: u32,
}

/// `DLDevice`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DLDevice {
    /// `DLDeviceType`.
    pub device_type: i32,
    /// Number of the device.
    pub device_id: i32,
}

/// `DLDataType`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DLDataType {
    /// `DLDataTypeCode`.
    pub code: u8,
    /// Bits of an element.
    pub bits: u8,
    /// Elements of a vector type; 1 of others.
    pub lanes: u16,
}

/// `DLTensor`.
#[repr(C)]
#[derive(Debug)]
pub struct DLTensor {
    /// The memory.
    pub data: *mut c_void,
    /// Where it is.
    pub device: DLDevice,
    /// Number of axes.
    pub ndim: i32,
    /// Type of an element.
    pub dtype: DLDataType,
    /// Length of each axis.
    pub shape: *mut i64,
    /// Elements between two along each axis; null: C order.
    pub strides: *mut i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensorVersioned {
    /// Version of the structs.
    pub version: DLPackVersion,
    /// The owner's.
    pub manager_ctx: *mut c_void,
    /// Frees the array and this struct; null: nobody needs to.
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    /// Bit 0: read only.
    pub flags: u64,
    /// The array.
    pub dl_tensor: DLTensor,
}

/// What a managed tensor of this side owns.
struct Owned {
    values: Vec<f32>,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

/// An array that is managed by DLPack, and freed with its deleter.
#[derive(Debug)]
pub struct DlpackArray(*mut DLManagedTensorVersioned);

// SAFETY: the array is owned, and a deleter may run on any thread.
unsafe impl Send for DlpackArray {}

impl DlpackArray {
    /// Hands an array over; it is copied only if it is not in C order.
    ///
    /// ```
    /// use nnunet_plugin_core::abi::dlpack::DlpackArray;
    /// use nnunet_plugin_core::ndarray::ArrayD;
    ///
    /// let array = ArrayD::from_shape_fn(vec![2, 3], |at| (10 * at[0] + at[1]) as f32);
    /// let packed = DlpackArray::new(array.clone());
    /// assert_eq!(packed.to_array().unwrap(), array);
    /// ```
    #[must_use]
    pub fn new(array: ArrayD<f32>) -> Self {
        let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
        let shape: Vec<i64> = array.shape().iter().map(|len| *len as i64).collect();
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        let len = array.len();
        let (mut values, offset) = array.into_raw_vec_and_offset();
        // A part of a larger array begins later.
        values.drain(..offset.unwrap_or(0));
        values.truncate(len);
        let mut owned = Box::new(Owned { values, shape, strides });
        let dl_tensor = DLTensor {
            data: owned.values.as_mut_ptr().cast(),
            device: DLDevice { device_type: CPU, device_id: 0 },
            ndim: owned.shape.len() as i32,
            dtype: FLOAT,
            shape: owned.shape.as_mut_ptr(),
            strides: owned.strides.as_mut_ptr(),
            byte_offset: 0,
        };
        Self(Box::into_raw(Box::new(DLManagedTensorVersioned {
            version: DLPACK_VERSION,
            manager_ctx: Box::into_raw(owned).cast(),
            deleter: Some(free),
            flags: 0,
            dl_tensor,
        })))
    }

    /// Takes over a managed tensor; none for a null pointer.
    ///
    /// # Safety
    /// The pointer is null or a managed tensor that nobody else frees.
    #[must_use]
    pub unsafe fn from_raw(managed: *mut DLManagedTensorVersioned) -> Option<Self> {
        (!managed.is_null()).then_some(Self(managed))
    }

    /// The managed tensor, which stays this value's.
    #[must_use]
    pub fn as_ptr(&self) -> *mut DLManagedTensorVersioned {
        self.0
    }

    /// The managed tensor, which whoever gets it frees with its deleter.
    #[must_use]
    pub fn into_raw(self) -> *mut DLManagedTensorVersioned {
        std::mem::ManuallyDrop::new(self).0
    }

    /// A copy of the values, in C order.
    ///
    /// # Errors
    /// Returns an error for another major version, another device than the CPU, or other elements than 32-bit floats.
    pub fn to_array(&self) -> Result<ArrayD<f32>> {
        // SAFETY: the pointer is valid until this value is dropped; the version is compared before the rest is read.
        let DLManagedTensorVersioned { version, dl_tensor, .. } = unsafe { &*self.0 };
        if version.major != DLPACK_VERSION.major {
            let found = format!("{}.{}", version.major, version.minor);
            return Err(Error::shape("DLPack version", DLPACK_VERSION.major, found));
        }
        if dl_tensor.device.device_type != CPU || dl_tensor.dtype != FLOAT {
            let found = format!("{:?} on {:?}", dl_tensor.dtype, dl_tensor.device);
            return Err(Error::shape("DLPack array", "32-bit floats on the CPU", found));
        }
        let (shape, strides) = extents(dl_tensor)?;
        let len: usize = shape.iter().product();
        if len == 0 {
            return Ok(ArrayD::zeros(shape));
        }
        let last: usize = shape.iter().zip(&strides).map(|(len, stride)| (len - 1) * stride).sum();
        // SAFETY: the owner says that so many elements lie behind the offset, by its shape and strides.
        let values = unsafe {
            let first = dl_tensor.data.byte_add(dl_tensor.byte_offset as usize).cast::<f32>();
            std::slice::from_raw_parts(first, last + 1)
        };
        let view = ndarray::ArrayView::from_shape(IxDyn(&shape).strides(IxDyn(&strides)), values);
        Ok(view
            .map_err(|error| Error::message(format!("DLPack array: {error}")))?
            .as_standard_layout()
            .into_owned())
    }
}

/// Shape and strides, which must be positive.
fn extents(tensor: &DLTensor) -> Result<(Vec<usize>, Vec<usize>)> {
    let wrong = |what: &str| Error::message(format!("DLPack array: its {what} cannot be used"));
    if !(0..=MOST_AXES).contains(&tensor.ndim) || (tensor.ndim > 0 && tensor.shape.is_null()) {
        return Err(wrong("number of axes"));
    }
    let axes = tensor.ndim as usize;
    let read = |from: *mut i64, what: &str| -> Result<Vec<usize>> {
        // SAFETY: the owner says that there are so many numbers.
        let numbers = (0..axes).map(|axis| unsafe { *from.add(axis) });
        numbers.map(|number| usize::try_from(number).map_err(|_| wrong(what))).collect()
    };
    let shape = read(tensor.shape, "shape")?;
    let size =
        shape.iter().try_fold(1_usize, |size, len| size.checked_mul(*len)).ok_or_else(|| wrong("shape"))?;
    if size > 0 && tensor.data.is_null() {
        return Err(wrong("memory"));
    }
    if !tensor.strides.is_null() {
        return Ok((shape, read(tensor.strides, "strides")?));
    }
    let mut strides = vec![1; axes];
    for axis in (1..axes).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    Ok((shape, strides))
}

impl Drop for DlpackArray {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe {
            if let Some(deleter) = (*self.0).deleter {
                deleter(self.0);
            }
        }
    }
}

/// The deleter of arrays of this side.
unsafe extern "C" fn free(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: `DlpackArray::new` made both boxes, and a deleter is called once.
    unsafe {
        let managed = Box::from_raw(managed);
        drop(Box::from_raw(managed.manager_ctx.cast::<Owned>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> ArrayD<f32> {
        ArrayD::from_shape_fn(vec![2, 3, 4], |at| (100 * at[0] + 10 * at[1] + at[2]) as f32)
    }

    #[test]
    fn arrays_go_there_and_back_whatever_their_order() {
        assert_eq!(DlpackArray::new(counted()).to_array().unwrap(), counted());
        let turned = counted().reversed_axes();
        assert_eq!(DlpackArray::new(turned.clone()).to_array().unwrap(), turned);
        let mut part = counted();
        part.collapse_axis(ndarray::Axis(0), 1);
        assert_eq!(DlpackArray::new(part.clone()).to_array().unwrap(), part);
        let empty = ArrayD::<f32>::zeros(vec![0, 3]);
        assert_eq!(DlpackArray::new(empty.clone()).to_array().unwrap(), empty);
    }

    /// Strides as of a transposed array, an offset, and none.
    #[test]
    fn strides_and_offsets_of_others_are_followed() {
        let packed = DlpackArray::new(counted());
        let (mut shape, mut strides) = ([4_i64, 3], [1_i64, 4]);
        // SAFETY: the arrays live longer than the managed tensor is read.
        unsafe {
            let tensor = &mut (*packed.as_ptr()).dl_tensor;
            (tensor.ndim, tensor.shape, tensor.strides) = (2, shape.as_mut_ptr(), strides.as_mut_ptr());
            tensor.byte_offset = 12 * size_of::<f32>() as u64;
        }
        assert_eq!(packed.to_array().unwrap()[[1, 2]], 121.0);
        // SAFETY: as above.
        unsafe { (*packed.as_ptr()).dl_tensor.strides = std::ptr::null_mut() };
        assert_eq!(packed.to_array().unwrap()[[1, 2]], 111.0);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let refused = |change: fn(&mut DLManagedTensorVersioned)| {
            let packed = DlpackArray::new(counted());
            // SAFETY: the tensor is this test's.
            change(unsafe { &mut *packed.as_ptr() });
            packed.to_array().unwrap_err().to_string()
        };
        assert!(refused(|managed| managed.version.major = 2).contains("DLPack version: expected 1, got 2.0"));
        assert!(
            refused(|managed| managed.dl_tensor.device.device_type = 2).contains("32-bit floats on the CPU")
        );
        assert!(refused(|managed| managed.dl_tensor.dtype.bits = 64).contains("32-bit floats on the CPU"));
        assert!(refused(|managed| managed.dl_tensor.ndim = 99).contains("number of axes"));
        assert!(refused(|managed| managed.dl_tensor.data = std::ptr::null_mut()).contains("memory"));
    }
}
