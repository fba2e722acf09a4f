//! Values in the memory of the program, into tensors.

use tch::{Device, Kind, TchError, Tensor};

/// Overwrites a tensor of any device with single-precision values in C order. They are not copied on the way.
///
/// # Errors
/// Returns an error if they are more or fewer than the tensor has, or an error of libtorch.
pub fn copy_from_slice(tensor: &Tensor, values: &[f32]) -> Result<(), TchError> {
    if tensor.numel() != values.len() {
        return Err(TchError::Shape(format!("{} values for {:?}", values.len(), tensor.size())));
    }
    let shape = tensor.size();
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    // SAFETY: the tensor has as many elements as the slice, is only read, and is gone before the slice.
    let source =
        unsafe { Tensor::f_from_blob(values.as_ptr().cast(), &shape, &strides, Kind::Float, Device::Cpu) };
    tensor.shallow_clone().f_copy_(&source?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_in_their_order() {
        let tensor = Tensor::zeros([2, 3], (Kind::Double, Device::Cpu)).tr();
        copy_from_slice(&tensor, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(f64::try_from(tensor.get(1).get(1)).unwrap(), 3.0);
        assert!(copy_from_slice(&tensor, &[0.0]).is_err());
    }
}
