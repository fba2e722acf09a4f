//! What checkpoints of both versions hold, as torch writes it.

use anyhow::Result;
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::TensorData;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_training::LossScaler;

/// The values of a tensor: whole numbers, or single precision.
pub(crate) fn tensor_data(tensor: &Tensor) -> Result<TensorData> {
    let shape = tensor.size().iter().map(|len| *len as usize).collect();
    if tensor.kind() == Kind::Int64 {
        let values = Vec::<i64>::try_from(&tensor.f_reshape([-1])?)?;
        return Ok(TensorData::from_i64(shape, &values));
    }
    let flat = tensor.detach().f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?;
    let flat = flat.f_contiguous()?.f_reshape([-1])?;
    let mut values = vec![0.0_f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(TensorData::from_f32(shape, &values))
}

/// The state dict of torch's `GradScaler`.
pub(crate) fn scaler_state(scaler: &LossScaler) -> Value {
    Value::dict(vec![
        ("scale", Value::Float(scaler.scale)),
        ("growth_factor", Value::Float(LossScaler::GROWTH)),
        ("backoff_factor", Value::Float(LossScaler::BACKOFF)),
        ("growth_interval", Value::Int(LossScaler::INTERVAL as i64)),
        ("_growth_tracker", Value::Int(scaler.growth_tracker as i64)),
    ])
}

/// The scaler of a state dict; v1 leaves it empty where it scaled nothing.
pub(crate) fn scaler_from(state: &Value) -> Option<LossScaler> {
    let tracker = state.get("_growth_tracker").and_then(Value::as_i64).unwrap_or(0);
    Some(LossScaler { scale: state.get("scale")?.as_f64()?, growth_tracker: usize::try_from(tracker).ok()? })
}

/// A JSON value as Python reads it.
pub(crate) fn from_json(value: &serde_json::Value) -> Value {
    from_json_with(value, Value::List)
}

/// As [`from_json`]; `sequence` makes lists or tuples.
pub(crate) fn from_json_with(value: &serde_json::Value, sequence: fn(Vec<Value>) -> Value) -> Value {
    let inner = |value| from_json_with(value, sequence);
    match value {
        serde_json::Value::Null => Value::None,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int)
        }
        serde_json::Value::String(text) => Value::str(text),
        serde_json::Value::Array(items) => sequence(items.iter().map(inner).collect()),
        serde_json::Value::Object(entries) => {
            Value::Dict(entries.iter().map(|(key, value)| (Value::str(key), inner(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaler_is_kept_as_torch_keeps_it() {
        let scaler = LossScaler { scale: 1024.0, growth_tracker: 7 };
        assert_eq!(scaler_from(&scaler_state(&scaler)), Some(scaler));
        assert_eq!(scaler_from(&Value::dict(Vec::new())), None);
    }
}
