//! What the allowed functions of a pickle build.

use super::globals::Callable;
use super::reader::{PickleError, Result};
use super::{DType, NdArray, Value};

/// Calls an allowed function.
pub(super) fn call(callable: Callable, mut arguments: Vec<Value>) -> Result<Value> {
    let mut argument = |i: usize| {
        arguments
            .get_mut(i)
            .map(|slot| std::mem::replace(slot, Value::None))
            .ok_or(PickleError::Damaged("a missing argument"))
    };
    match callable {
        Callable::OrderedDict => match argument(0) {
            Ok(Value::List(items)) => {
                items.into_iter().map(|item| entry(&item)).collect::<Result<_>>().map(Value::OrderedDict)
            }
            _ => Ok(Value::OrderedDict(Vec::new())),
        },
        Callable::Set => match argument(0) {
            Ok(Value::List(items)) => Ok(Value::Set(items)),
            _ => Ok(Value::Set(Vec::new())),
        },
        Callable::DType => match argument(0)? {
            Value::Str(code) => DType::from_code(&code)
                .map(Value::DType)
                .ok_or(PickleError::Damaged("an unsupported NumPy type")),
            _ => Err(PickleError::Damaged("a NumPy type that is no text")),
        },
        Callable::NumpyScalar => scalar(argument(0)?, argument(1)?),
        Callable::CodecsEncode => match argument(0)? {
            // Protocol 2 carries bytes as latin-1 text.
            Value::Str(text) => {
                let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                bytes.map(Value::Bytes).ok_or(PickleError::Damaged("text that is not latin-1"))
            }
            _ => Err(PickleError::Damaged("encode of something that is no text")),
        },
        Callable::RebuildParameter => argument(0),
        Callable::Device => Ok(Value::Global("torch.device".to_owned())),
        Callable::NdArrayFromBuffer => from_buffer(argument(0)?, argument(1)?, argument(2)?, argument(3)?),
        Callable::NdArrayReconstruct | Callable::RebuildTensor | Callable::Marker => {
            Err(PickleError::Damaged("a call of a type"))
        }
    }
}

fn entry(item: &Value) -> Result<(Value, Value)> {
    match item.items() {
        Some([key, value]) => Ok((key.clone(), value.clone())),
        _ => Err(PickleError::Damaged("an entry that is no pair")),
    }
}

fn scalar(dtype: Value, bytes: Value) -> Result<Value> {
    match (dtype, bytes) {
        (Value::DType(dtype), Value::Bytes(data)) if data.len() == dtype.size() => {
            Ok(Value::Scalar(NdArray { dtype, shape: Vec::new(), data, objects: Vec::new() }))
        }
        _ => Err(PickleError::Damaged("a NumPy scalar of the wrong size")),
    }
}

fn from_buffer(bytes: Value, dtype: Value, shape: Value, order: Value) -> Result<Value> {
    let state = vec![Value::Int(1), shape, dtype, Value::Bool(order.as_str() == Some("F")), bytes];
    array_from_state(Value::Tuple(state)).map(Value::Array)
}

/// `(version, shape, dtype, is_fortran, data)`.
pub(super) fn array_from_state(state: Value) -> Result<NdArray> {
    let damaged = || PickleError::Damaged("an array with an impossible state");
    let Value::Tuple(mut state) = state else { return Err(damaged()) };
    if state.len() != 5 {
        return Err(damaged());
    }
    let shape = state[1].to_usize_vec().ok_or_else(damaged)?;
    let Value::DType(dtype) = state[2] else { return Err(damaged()) };
    let fortran = state[3].as_bool().unwrap_or(false) && shape.len() > 1;
    let count = shape.iter().try_fold(1_usize, |n, len| n.checked_mul(*len)).ok_or_else(damaged)?;
    if count > 0 && dtype.size() == 0 {
        // Elements without bytes: any count would fit, and walking them would never end.
        return Err(damaged());
    }
    match state.swap_remove(4) {
        Value::Bytes(data)
            if Some(data.len()) == count.checked_mul(dtype.size()) && dtype != DType::Object =>
        {
            let data = if fortran { to_c_order(&data, &shape, dtype.size()) } else { data };
            Ok(NdArray { dtype, shape, data, objects: Vec::new() })
        }
        Value::List(objects) if dtype == DType::Object && objects.len() == count => {
            Ok(NdArray { dtype, shape, data: Vec::new(), objects })
        }
        _ => Err(damaged()),
    }
}

/// Reorders elements from first-axis-fastest to last-axis-fastest.
pub(crate) fn to_c_order(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let count = data.len() / size.max(1);
    let mut out = Vec::with_capacity(data.len());
    for i in 0..count {
        let (mut rest, mut stride, mut from) = (i, 1, 0);
        let mut index = vec![0; shape.len()];
        for (axis, len) in shape.iter().enumerate().rev() {
            index[axis] = rest % len;
            rest /= len;
        }
        for (axis, len) in shape.iter().enumerate() {
            from += index[axis] * stride;
            stride *= len;
        }
        out.extend_from_slice(&data[from * size..(from + 1) * size]);
    }
    out
}
