//! Arrays and tensors.

use ndarray::{Array4, ArrayView4};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Error, Result};

/// A tensor with an array's values.
///
/// # Errors
/// Returns an error of libtorch.
pub fn to_tensor(array: ArrayView4<'_, f32>) -> Result<Tensor> {
    let shape: Vec<i64> = array.shape().iter().map(|len| *len as i64).collect();
    let array = array.as_standard_layout();
    Ok(Tensor::f_from_slice(array.as_slice().unwrap_or_default())?.f_reshape(&shape)?)
}

/// An array with the values of a tensor of four axes.
///
/// # Errors
/// Returns an error if the tensor has another number of axes.
pub fn from_tensor(tensor: &Tensor) -> Result<Array4<f32>> {
    let shape: Vec<usize> = tensor.size().iter().map(|len| *len as usize).collect();
    let flat = tensor.f_to_device(Device::Cpu)?.f_contiguous()?.f_reshape([-1])?.f_to_kind(Kind::Float)?;
    let mut values = vec![0.0_f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    let [c, z, y, x] = shape[..] else {
        return Err(Error::shape("array", "four axes", format!("{shape:?}")));
    };
    Array4::from_shape_vec((c, z, y, x), values).map_err(|error| Error::message(error.to_string()))
}
