//! Parameters in checkpoints, and JSON in pickles.

use anyhow::{Context, Result};
use ndarray::{ArrayD, IxDyn};
use nnunet_formats::pickle::Value as Pickle;
use nnunet_formats::torch_zip::{Checkpoint, TensorData};
use serde_json::Value;

use super::state_v1::State;

/// The parameters of a state dict by name, without the prefixes of parallel and compiled networks.
///
/// # Errors
/// Returns an error for entries that are no tensors of floating point numbers.
pub(super) fn read(weights: &Pickle, checkpoint: &Checkpoint) -> Result<State> {
    let entries = weights.entries().context("its parameters are no dictionary")?;
    let mut state = State::new();
    for (name, value) in entries {
        let name = name.as_str().context("a parameter has no name")?;
        let name = name.trim_start_matches("module.").trim_start_matches("_orig_mod.");
        let tensor = match value {
            Pickle::Tensor(index) => checkpoint.tensors.get(*index),
            _ => None,
        };
        let tensor = tensor.with_context(|| format!("the parameter {name} is no tensor"))?;
        let values =
            tensor.to_f32().with_context(|| format!("the parameter {name} is not in floating point"))?;
        state.insert(name.to_owned(), ArrayD::from_shape_vec(IxDyn(&tensor.shape), values)?);
    }
    Ok(state)
}

/// A parameter as it is stored.
pub(super) fn data(values: &ArrayD<f32>) -> TensorData {
    let flat: Vec<f32> = values.iter().copied().collect();
    TensorData::from_f32(values.shape().to_vec(), &flat)
}

/// JSON as a pickle has it.
pub(super) fn to_pickle(value: &Value) -> Pickle {
    match value {
        Value::Null => Pickle::None,
        Value::Bool(value) => Pickle::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Pickle::Int(whole),
            None => Pickle::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Pickle::str(text),
        Value::Array(items) => Pickle::List(items.iter().map(to_pickle).collect()),
        Value::Object(entries) => {
            Pickle::Dict(entries.iter().map(|(key, value)| (Pickle::str(key), to_pickle(value))).collect())
        }
    }
}
