//! Torch checkpoints: the zip that `torch.save` writes, without torch and without running what is inside.

mod read;
mod views;
mod write;

use std::borrow::Cow;

pub use read::{Tensors, load, open};
pub use write::save;

/// A tensor of a checkpoint: contiguous, C order, little endian.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorData {
    /// Element type as torch names its storage: `Float`, `Long`, ...
    pub storage: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Vec<u8>,
}

/// A checkpoint: a tree in which [`Value::Tensor`](crate::pickle::Value::Tensor) points into `tensors`.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The pickled object.
    pub root: crate::pickle::Value,
    /// Its tensors.
    pub tensors: Vec<TensorData>,
}

impl TensorData {
    /// A float32 tensor.
    #[must_use]
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        Self {
            storage: "Float".to_owned(),
            shape,
            data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// A tensor of 64-bit whole numbers.
    #[must_use]
    pub fn from_i64(shape: Vec<usize>, values: &[i64]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { storage: "Long".to_owned(), shape, data }
    }

    /// Elements as f32; `None` for types that networks do not use.
    #[must_use]
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        self.as_f32().map(Cow::into_owned)
    }

    /// As [`TensorData::to_f32`], without a copy where the elements are f32 already.
    #[must_use]
    pub fn as_f32(&self) -> Option<Cow<'_, [f32]>> {
        let data = &self.data;
        if self.storage == "Float"
            && cfg!(target_endian = "little")
            && let Ok(values) = bytemuck::try_cast_slice(data)
        {
            return Some(Cow::Borrowed(values));
        }
        Some(Cow::Owned(match self.storage.as_str() {
            "Float" => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            "Double" => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            "Long" => data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect(),
            "Half" => data.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
            "BFloat16" => {
                data.as_chunks::<2>().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()
            }
            _ => return None,
        }))
    }
}

/// Bytes per element of a storage type.
fn element_size(storage: &str) -> Option<usize> {
    match storage {
        "Double" | "Long" => Some(8),
        "Float" | "Int" => Some(4),
        "Half" | "BFloat16" | "Short" => Some(2),
        "Char" | "Byte" | "Bool" => Some(1),
        _ => None,
    }
}
