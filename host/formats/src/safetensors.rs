//! Weights as safetensors.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

use crate::torch_zip::TensorData;
use crate::{Error, Result, atomic};

/// Writes tensors by name.
///
/// # Errors
/// Returns an error for an element type that safetensors does not have, or an I/O error.
pub fn save<'a>(path: &Path, tensors: impl IntoIterator<Item = (&'a str, &'a TensorData)>) -> Result<()> {
    let invalid = |error: safetensors::SafeTensorError| Error::invalid(path, error);
    let view = |(name, tensor): (&'a str, &'a TensorData)| {
        let dtype = dtype(&tensor.storage).ok_or_else(|| {
            Error::invalid(path, format!("safetensors have no {} for {name}", tensor.storage))
        })?;
        Ok((name, TensorView::new(dtype, tensor.shape.clone(), &tensor.data).map_err(invalid)?))
    };
    let views = tensors.into_iter().map(view).collect::<Result<Vec<_>>>()?;
    // What PyTorch's own files have.
    let facts = Some(HashMap::from([("format".to_owned(), "pt".to_owned())]));
    atomic::replace(path, |temporary| {
        serialize_to_file(views, &facts, temporary).map_err(|error| match error {
            safetensors::SafeTensorError::IoError(cause) => Error::io(path, cause),
            other => Error::invalid(path, other),
        })
    })
}

fn dtype(storage: &str) -> Option<Dtype> {
    Some(match storage {
        "Float" => Dtype::F32,
        "Double" => Dtype::F64,
        "Half" => Dtype::F16,
        "BFloat16" => Dtype::BF16,
        "Long" => Dtype::I64,
        "Int" => Dtype::I32,
        "Short" => Dtype::I16,
        "Char" => Dtype::I8,
        "Byte" => Dtype::U8,
        "Bool" => Dtype::BOOL,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let weight = TensorData::from_f32(vec![2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.5]);
        let steps = TensorData::from_i64(vec![], &[7]);
        save(&path, [("conv.weight", &weight), ("steps", &steps), ("conv.again", &weight)]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.names().len(), 3);
        for name in ["conv.weight", "conv.again"] {
            let tensor = read.tensor(name).unwrap();
            assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, &[2, 3][..]));
            assert_eq!(tensor.data(), weight.data);
        }
        assert_eq!(read.tensor("steps").unwrap().data(), steps.data);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_file_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        save(&path, [("a", &TensorData::from_i64(vec![1], &[7]))]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let complex = TensorData { storage: "ComplexFloat".into(), shape: vec![1], data: vec![0; 8] };
        let error = save(&path, [("a", &complex)]).unwrap_err().to_string();
        assert!(error.contains("ComplexFloat") && error.contains("a.safetensors"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
