//! The optimizer in a checkpoint: torch's `optimizer.state_dict()`.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nnunet_architectures::ParameterStore;
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::Checkpoint;
use nnunet_plugin_api::tch::Tensor;
use nnunet_training::{Optimize, Setting, StateValue};

use crate::torch_state::from_json_with;

/// The state dict of an optimizer; `keep` stores a tensor and names it.
pub(crate) fn to_pickle(
    optimizer: &dyn Optimize,
    store: &ParameterStore,
    learning_rate: f64,
    keep: &mut dyn FnMut(&Tensor) -> Result<Value>,
) -> Result<Value> {
    let parameters = store.trainable().count();
    let mut states = Vec::new();
    for index in 0..parameters {
        let mut entries = Vec::new();
        for (name, value) in optimizer.state(index) {
            let value = match value {
                StateValue::Tensor(tensor) => keep(&tensor)?,
                StateValue::Count(count) => Value::Int(count),
            };
            entries.push((Value::Str(name), value));
        }
        if !entries.is_empty() {
            states.push((Value::Int(index as i64), Value::Dict(entries)));
        }
    }
    let mut group = vec![("lr", Value::Float(learning_rate))];
    group.extend(optimizer.settings().into_iter().map(|(name, setting)| (name, setting_value(setting))));
    let own: Vec<(String, Value)> = optimizer
        .own_settings()
        .into_iter()
        .map(|(name, value)| (name, from_json_with(&value, Value::Tuple)))
        .collect();
    group.extend(own.iter().map(|(name, value)| (name.as_str(), value.clone())));
    group.push(("params", Value::ints(0..parameters)));
    let groups = Value::List(vec![Value::dict(group)]);
    Ok(Value::dict(vec![("state", Value::Dict(states)), ("param_groups", groups)]))
}

fn setting_value(setting: Setting) -> Value {
    match setting {
        Setting::Float(value) => Value::Float(value),
        Setting::Int(value) => Value::Int(value),
        Setting::Bool(value) => Value::Bool(value),
        Setting::Pair(a, b) => Value::Tuple(vec![Value::Float(a), Value::Float(b)]),
        Setting::None => Value::None,
    }
}

/// Gives an optimizer a state that was saved in a checkpoint.
pub(crate) fn restore(
    path: &Path,
    saved: Option<&Value>,
    checkpoint: &Checkpoint,
    store: &ParameterStore,
    optimizer: &mut dyn Optimize,
) -> Result<()> {
    let states = saved.and_then(|saved| saved.get("state")).and_then(Value::entries);
    for (index, state) in states.into_iter().flatten() {
        let index = index.as_i64().and_then(|index| usize::try_from(index).ok());
        let (Some(index), Some(entries)) = (index, state.entries()) else {
            return Err(anyhow!("{}: unexpected entry in the state of the optimizer", path.display()));
        };
        let mut values = Vec::new();
        for (name, value) in entries {
            let name = name.as_str().with_context(|| path.display().to_string())?.to_owned();
            values.extend(state_value(value, checkpoint, store)?.map(|value| (name, value)));
        }
        if values.is_empty() {
            continue;
        }
        optimizer
            .restore(index, values)
            .map_err(|error| anyhow!("{}: {error}; it was trained with another optimizer", path.display()))?;
    }
    Ok(())
}

/// A tensor or a count; anything else (`None` where there is no momentum) is no state.
fn state_value(value: &Value, checkpoint: &Checkpoint, store: &ParameterStore) -> Result<Option<StateValue>> {
    let Value::Tensor(index) = value else { return Ok(value.as_i64().map(StateValue::Count)) };
    let data = &checkpoint.tensors[*index];
    let shape: Vec<i64> = data.shape.iter().map(|len| *len as i64).collect();
    let values = data.to_f32().context("a tensor of the optimizer's state is not floating point")?;
    let tensor = Tensor::f_from_slice(&values)?.f_reshape(&shape)?.f_to_device(store.device())?;
    Ok(Some(StateValue::Tensor(tensor)))
}
