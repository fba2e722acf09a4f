//! What a pickle can hold here.

use super::DType;

/// A Python value: plain containers, NumPy arrays and scalars.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `float`.
    Float(f64),
    /// `str`.
    Str(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `list`.
    List(Vec<Value>),
    /// `tuple`.
    Tuple(Vec<Value>),
    /// `dict`, in order.
    Dict(Vec<(Value, Value)>),
    /// `collections.OrderedDict`.
    OrderedDict(Vec<(Value, Value)>),
    /// `set` or `frozenset`.
    Set(Vec<Value>),
    /// `numpy.ndarray`.
    Array(NdArray),
    /// A NumPy scalar: an array without axes.
    Scalar(NdArray),
    /// A `numpy.dtype`.
    DType(DType),
    /// A tensor of a checkpoint, by index into the checkpoint's list.
    Tensor(usize),
    /// An allowed name that is not called (`torch.device('cpu')`, storage types).
    Global(String),
}

/// An array in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct NdArray {
    /// Element type.
    pub dtype: DType,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Little-endian elements in C order; empty for [`DType::Object`].
    pub data: Vec<u8>,
    /// Elements of an object array.
    pub objects: Vec<Value>,
}

impl NdArray {
    /// Elements as f64; `None` for text and objects.
    #[must_use]
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        fn each<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            data.as_chunks::<N>().0.iter().map(|bytes| convert(*bytes)).collect()
        }
        let data = &self.data;
        Some(match self.dtype {
            DType::Bool | DType::U8 => data.iter().map(|byte| f64::from(*byte)).collect(),
            DType::I8 => data.iter().map(|byte| f64::from(*byte as i8)).collect(),
            DType::I16 => each(data, |b| f64::from(i16::from_le_bytes(b))),
            DType::U16 => each(data, |b| f64::from(u16::from_le_bytes(b))),
            DType::I32 => each(data, |b| f64::from(i32::from_le_bytes(b))),
            DType::U32 => each(data, |b| f64::from(u32::from_le_bytes(b))),
            DType::I64 => each(data, |b| i64::from_le_bytes(b) as f64),
            DType::U64 => each(data, |b| u64::from_le_bytes(b) as f64),
            DType::F16 => each(data, |b| half::f16::from_le_bytes(b).to_f64()),
            DType::F32 => each(data, |b| f64::from(f32::from_le_bytes(b))),
            DType::F64 => each(data, f64::from_le_bytes),
            DType::Unicode(_) | DType::Object => return None,
        })
    }

    /// Elements as text; `None` unless they are Unicode.
    #[must_use]
    pub fn to_strings(&self) -> Option<Vec<String>> {
        let DType::Unicode(_) = self.dtype else { return None };
        let decode = |element: &[u8]| {
            let points = element.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
            points.take_while(|point| *point != 0).filter_map(char::from_u32).collect()
        };
        Some(self.data.chunks(self.dtype.size().max(1)).map(decode).collect())
    }
}

impl Value {
    /// Text key of a dictionary.
    pub fn str(text: impl Into<String>) -> Self {
        Value::Str(text.into())
    }

    /// `dict` with text keys.
    #[must_use]
    pub fn dict(entries: Vec<(&str, Value)>) -> Self {
        Value::Dict(entries.into_iter().map(|(key, value)| (Value::str(key), value)).collect())
    }

    /// A list of integers.
    pub fn ints(values: impl IntoIterator<Item = usize>) -> Self {
        Value::List(values.into_iter().map(|value| Value::Int(value as i64)).collect())
    }

    /// A one-dimensional int64 array.
    pub fn i64_array(values: impl IntoIterator<Item = i64>) -> Self {
        let data: Vec<u8> = values.into_iter().flat_map(i64::to_le_bytes).collect();
        Value::Array(NdArray { dtype: DType::I64, shape: vec![data.len() / 8], data, objects: Vec::new() })
    }

    /// A one-dimensional float64 array.
    pub fn f64_array(values: impl IntoIterator<Item = f64>) -> Self {
        let data: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
        Value::Array(NdArray { dtype: DType::F64, shape: vec![data.len() / 8], data, objects: Vec::new() })
    }

    /// A one-dimensional float32 array.
    pub fn f32_array(values: impl IntoIterator<Item = f32>) -> Self {
        let data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Value::Array(NdArray { dtype: DType::F32, shape: vec![data.len() / 4], data, objects: Vec::new() })
    }

    /// A one-dimensional array of text (`<U..`).
    #[must_use]
    pub fn str_array(values: &[String]) -> Self {
        let width = values.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let mut data = Vec::with_capacity(values.len() * width * 4);
        for text in values {
            let padded = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
            data.extend(padded.flat_map(u32::to_le_bytes));
        }
        Value::Array(NdArray {
            dtype: DType::Unicode(width),
            shape: vec![values.len()],
            data,
            objects: Vec::new(),
        })
    }

    /// A `numpy.float64`.
    #[must_use]
    pub fn f64_scalar(value: f64) -> Self {
        Self::scalar(DType::F64, value.to_le_bytes().to_vec())
    }

    /// A `numpy.float32`.
    #[must_use]
    pub fn f32_scalar(value: f32) -> Self {
        Self::scalar(DType::F32, value.to_le_bytes().to_vec())
    }

    fn scalar(dtype: DType, data: Vec<u8>) -> Self {
        Value::Scalar(NdArray { dtype, shape: Vec::new(), data, objects: Vec::new() })
    }

    /// Entries of a dictionary of either kind.
    #[must_use]
    pub fn entries(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Dict(entries) | Value::OrderedDict(entries) => Some(entries),
            _ => None,
        }
    }

    /// Value of a text key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries()?
            .iter()
            .find(|(name, _)| matches!(name, Value::Str(text) if text == key))
            .map(|(_, v)| v)
    }

    /// Number of any kind, NumPy's included.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            Value::Bool(value) => Some(f64::from(u8::from(*value))),
            Value::Scalar(array) | Value::Array(array) if array.shape.iter().product::<usize>() == 1 => {
                array.to_f64()?.first().copied()
            }
            _ => None,
        }
    }

    /// Whole number of any kind.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i64)
    }

    /// Truth value of any kind.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        self.as_f64().map(|value| value != 0.0)
    }

    /// Text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(text) = self { Some(text) } else { None }
    }

    /// Elements of a list, tuple or set.
    #[must_use]
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => Some(items),
            Value::Array(array) if array.dtype == DType::Object => Some(&array.objects),
            _ => None,
        }
    }

    /// Numbers of a list, tuple or array of any shape, flattened.
    #[must_use]
    pub fn to_f64_vec(&self) -> Option<Vec<f64>> {
        match self {
            Value::Array(array) if array.dtype != DType::Object => array.to_f64(),
            _ => self.items()?.iter().map(Value::as_f64).collect(),
        }
    }

    /// Whole numbers of a list, tuple or array, flattened.
    #[must_use]
    pub fn to_usize_vec(&self) -> Option<Vec<usize>> {
        self.to_f64_vec()?.into_iter().map(|v| (v >= 0.0 && v.fract() == 0.0).then_some(v as usize)).collect()
    }

    /// Texts of a list, tuple or Unicode array.
    #[must_use]
    pub fn to_strings(&self) -> Option<Vec<String>> {
        match self {
            Value::Array(array) if array.dtype != DType::Object => array.to_strings(),
            _ => self.items()?.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        }
    }
}
