//! What the allowed functions of a pickle build.

use super::arena::{Arena, Id, Node};
use super::error::{PickleError, Result};
use super::globals::Callable;
use super::{DType, NdArray, Value};

/// Most axes of an array: NumPy's own limit.
pub(crate) const MAX_AXES: usize = 64;

/// Calls an allowed function with copies of its arguments.
pub(super) fn call(callable: Callable, mut arguments: Vec<Value>) -> Result<Value> {
    let mut argument = |i: usize| {
        arguments
            .get_mut(i)
            .map(|slot| std::mem::replace(slot, Value::None))
            .ok_or(PickleError::Damaged("a missing argument"))
    };
    match callable {
        Callable::DType => match argument(0)? {
            Value::Str(code) => DType::from_code(&code)
                .map(Value::DType)
                .ok_or(PickleError::Damaged("an unsupported NumPy type")),
            _ => Err(PickleError::Damaged("a NumPy type that is not text")),
        },
        Callable::NumpyScalar => scalar(argument(0)?, argument(1)?),
        Callable::CodecsEncode => match argument(0)? {
            // Protocol 2 carries bytes as latin-1 text.
            Value::Str(text) => {
                let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                bytes.map(Value::Bytes).ok_or(PickleError::Damaged("text that is not latin-1"))
            }
            _ => Err(PickleError::Damaged("encode of something that is not text")),
        },
        Callable::Device => Ok(Value::Global("torch.device".to_owned())),
        Callable::NdArrayFromBuffer => {
            let (bytes, dtype, shape, order) = (argument(0)?, argument(1)?, argument(2)?, argument(3)?);
            let (Value::Bytes(data), Value::DType(dtype)) = (bytes, dtype) else { return Err(impossible()) };
            let shape = Shape::new(&shape, dtype, order.as_str() == Some("F"))?;
            shape.array(data).map(Value::Array)
        }
        _ => Err(PickleError::Damaged("a call of a type")),
    }
}

fn impossible() -> PickleError {
    PickleError::Damaged("an array with an impossible state")
}

fn scalar(dtype: Value, bytes: Value) -> Result<Value> {
    match (dtype, bytes) {
        (Value::DType(dtype), Value::Bytes(data)) if data.len() == dtype.size() => {
            Ok(Value::Scalar(NdArray { dtype, shape: Vec::new(), data, objects: Vec::new() }))
        }
        _ => Err(PickleError::Damaged("a NumPy scalar of the wrong size")),
    }
}

/// What is known of an array before its elements.
struct Shape {
    dtype: DType,
    axes: Vec<usize>,
    count: usize,
    is_fortran: bool,
}

impl Shape {
    fn new(axes: &Value, dtype: DType, is_fortran: bool) -> Result<Self> {
        let axes = axes.to_usize_vec().filter(|axes| axes.len() <= MAX_AXES).ok_or_else(impossible)?;
        let count = axes.iter().try_fold(1_usize, |n, len| n.checked_mul(*len)).ok_or_else(impossible)?;
        if count > 0 && dtype.size() == 0 {
            // Elements without bytes: any count would fit, and walking them would never end.
            return Err(impossible());
        }
        let is_fortran = is_fortran && axes.len() > 1;
        Ok(Self { dtype, axes, count, is_fortran })
    }

    fn array(self, data: Vec<u8>) -> Result<NdArray> {
        let Self { dtype, axes, count, is_fortran } = self;
        if dtype == DType::Object || Some(data.len()) != count.checked_mul(dtype.size()) {
            return Err(impossible());
        }
        let data = if is_fortran { to_c_order(&data, &axes, dtype.size()) } else { data };
        Ok(NdArray { dtype, shape: axes, data, objects: Vec::new() })
    }
}

/// An array from its state: `(version, shape, dtype, is_fortran, data)`.
pub(super) fn array_from_state<'a>(arena: &mut Arena<'a>, state: Id) -> Result<Node<'a>> {
    let Node::Tuple(state) = arena.get(state) else { return Err(impossible()) };
    let [_, shape, dtype, is_fortran, data] = state.as_slice() else { return Err(impossible()) };
    let [shape, dtype, is_fortran, data] = [*shape, *dtype, *is_fortran, *data];
    let Node::Value(Value::DType(dtype)) = arena.get(dtype) else { return Err(impossible()) };
    let dtype = *dtype;
    let is_fortran = arena.copy(is_fortran)?.as_bool().unwrap_or(false);
    let shape = Shape::new(&arena.copy(shape)?, dtype, is_fortran)?;
    if let Node::List(items) = arena.get(data) {
        if dtype != DType::Object || items.len() != shape.count {
            return Err(impossible());
        }
        let array = NdArray { dtype, shape: shape.axes, data: Vec::new(), objects: Vec::new() };
        return Ok(Node::Objects(array, arena.list(data)?));
    }
    let Value::Bytes(data) = arena.copy(data)? else { return Err(impossible()) };
    shape.array(data).map(|array| Node::Value(Value::Array(array)))
}

/// Reorders elements from first-axis-fastest to last-axis-fastest.
pub(crate) fn to_c_order(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let count = data.len() / size.max(1);
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, len| {
            let own = *stride;
            *stride *= len;
            Some(own)
        })
        .collect();
    let (mut index, mut from) = (vec![0; shape.len()], 0);
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..count {
        out.extend_from_slice(&data[from * size..(from + 1) * size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            from += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            from -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}
