//! Elements of arrays.

use crate::pickle::{DType, NdArray};

/// Little-endian elements as f32; `None` for text and objects.
pub(crate) fn to_f32(dtype: DType, data: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        DType::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        DType::F16 => data.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        DType::U8 => data.iter().map(|byte| f32::from(*byte)).collect(),
        dtype => {
            let (shape, data) = (vec![data.len() / dtype.size().max(1)], data.to_vec());
            let array = NdArray { dtype, shape, data, objects: Vec::new() };
            array.to_f64()?.into_iter().map(|value| value as f32).collect()
        }
    })
}
