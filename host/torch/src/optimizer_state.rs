//! The optimizer in a checkpoint: torch's `optimizer.state_dict()`.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use nnunet_architectures::ParameterStore;
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::Checkpoint;
use nnunet_plugin_api::tch::Tensor;
use nnunet_training::{GroupSettings, Optimize, Setting, StateValue};

use crate::torch_state::from_json_with;

/// The state dict of an optimizer; `keep` stores a tensor and names it. torch numbers parameters in the order of the groups.
pub(crate) fn to_pickle(
    optimizer: &dyn Optimize,
    store: &ParameterStore,
    learning_rate: f64,
    keep: &mut dyn FnMut(&Tensor) -> Result<Value>,
) -> Result<Value> {
    let (mut states, mut groups) = (Vec::new(), Vec::new());
    let mut position = 0;
    for group in optimizer.groups(store.trainable().count()) {
        let first = position;
        for number in &group.numbers {
            let state = state_to_pickle(optimizer.state(*number), keep)?;
            states.extend(state.map(|state| (Value::Int(position as i64), state)));
            position += 1;
        }
        groups.push(group_to_pickle(&group, first..position, learning_rate));
    }
    Ok(Value::dict(vec![("state", Value::Dict(states)), ("param_groups", Value::List(groups))]))
}

/// The state of a parameter; none before its first step.
fn state_to_pickle(
    state: Vec<(String, StateValue)>,
    keep: &mut dyn FnMut(&Tensor) -> Result<Value>,
) -> Result<Option<Value>> {
    let entries = state.into_iter().map(|(name, value)| {
        let value = match value {
            StateValue::Tensor(tensor) => keep(&tensor)?,
            StateValue::Count(count) => Value::Int(count),
        };
        Ok((Value::Str(name), value))
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    Ok((!entries.is_empty()).then_some(Value::Dict(entries)))
}

fn group_to_pickle(group: &GroupSettings, positions: Range<usize>, learning_rate: f64) -> Value {
    let mut all = vec![("lr", Value::Float(learning_rate * group.factor))];
    all.extend(group.settings.iter().map(|(name, setting)| (*name, setting_value(*setting))));
    let own = group.own_settings.iter();
    all.extend(own.map(|(name, value)| (name.as_str(), from_json_with(value, Value::Tuple))));
    all.push(("params", Value::ints(positions)));
    Value::dict(all)
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
    let groups = optimizer.groups(store.trainable().count());
    let numbers = numbers(saved, &groups).map_err(|error| anyhow!("{}: {error}", path.display()))?;
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
        // A parameter that is not there is an error of the optimizer.
        let number = numbers.get(index).copied().unwrap_or(index);
        optimizer
            .restore(number, values)
            .map_err(|error| anyhow!("{}: {error}; it was trained with another optimizer", path.display()))?;
    }
    Ok(())
}

/// The parameters in the order of the saved groups. One group holds all of them in the order of the network, also where
/// an earlier version wrote several groups as one.
fn numbers(saved: Option<&Value>, groups: &[GroupSettings]) -> Result<Vec<usize>> {
    let saved = saved.and_then(|saved| saved.get("param_groups")).and_then(Value::items).unwrap_or_default();
    if saved.len() <= 1 {
        let all = groups.iter().map(|group| group.numbers.len()).sum();
        return Ok((0..all).collect());
    }
    let lengths =
        saved.iter().map(|group| group.get("params").and_then(Value::items).map_or(0, <[Value]>::len));
    ensure!(
        lengths.eq(groups.iter().map(|group| group.numbers.len())),
        "it was trained with other parameter_groups; use those, or start a new training with --overwrite"
    );
    Ok(groups.iter().flat_map(|group| group.numbers.iter().copied()).collect())
}

/// A tensor or a count; anything else (`None` where there is no momentum) is no state.
fn state_value(value: &Value, checkpoint: &Checkpoint, store: &ParameterStore) -> Result<Option<StateValue>> {
    let Value::Tensor(index) = value else { return Ok(value.as_i64().map(StateValue::Count)) };
    let data = &checkpoint.tensors[*index];
    let shape: Vec<i64> = data.shape.iter().map(|len| *len as i64).collect();
    let values = data.as_f32().context("a tensor of the optimizer's state is not floating point")?;
    let tensor = Tensor::f_from_slice(&values)?.f_reshape(&shape)?.f_to_device(store.device())?;
    Ok(Some(StateValue::Tensor(tensor)))
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::tch::{Device, Kind};
    use nnunet_plugin_api::vocabulary::{Blueprint, ParameterGroup};
    use nnunet_plugin_api::{Init, VarFactory};

    use super::*;
    use crate::torch_state::tensor_data;

    /// A step on three parameters, the last of which has a group of its own.
    fn stepped(group: &str) -> (ParameterStore, Box<dyn Optimize>) {
        let mut store = ParameterStore::new(Device::Cpu);
        for (name, value) in [("a.weight", 1.0), ("b.weight", 2.0), ("c.bias", 3.0)] {
            drop(store.parameter(name, &[2], Init::Constant { value }).unwrap());
        }
        let group = ParameterGroup { parameters: group.to_owned(), learning_rate: 2.0, ..Default::default() };
        let blueprint = Blueprint { parameter_groups: vec![group], ..Blueprint::default() };
        let mut optimizer = nnunet_training::optimizer(&blueprint, &store).unwrap();
        step(&store, &mut *optimizer);
        (store, optimizer)
    }

    fn step(store: &ParameterStore, optimizer: &mut dyn Optimize) {
        let sum = store.trainable().map(|one| one.tensor.square().sum(Kind::Float));
        sum.reduce(|a, b| a + b).unwrap().backward();
        optimizer.step(store, 0.1).unwrap();
    }

    fn saved(store: &ParameterStore, optimizer: &dyn Optimize) -> Checkpoint {
        let mut tensors = Vec::new();
        let mut keep = |tensor: &Tensor| -> Result<Value> {
            tensors.push(tensor_data(tensor)?);
            Ok(Value::Tensor(tensors.len() - 1))
        };
        let root = to_pickle(optimizer, store, 0.1, &mut keep).unwrap();
        Checkpoint { root, tensors }
    }

    #[test]
    fn groups_are_written_as_torch_writes_them_and_read_again() {
        let (store, optimizer) = stepped("c.*");
        let checkpoint = saved(&store, &*optimizer);
        let groups = checkpoint.root.get("param_groups").unwrap().items().unwrap();
        let facts = groups.iter().map(|group| {
            (group.get("lr").and_then(Value::as_f64), group.get("params").and_then(Value::to_usize_vec))
        });
        let wanted = [(Some(0.2), Some(vec![0])), (Some(0.1), Some(vec![1, 2]))];
        assert_eq!(facts.collect::<Vec<_>>(), wanted);
        let restored = |group: &str| {
            let (store, mut optimizer) = stepped(group);
            optimizer.forget();
            restore(Path::new("x"), Some(&checkpoint.root), &checkpoint, &store, &mut *optimizer)
                .map(|()| saved(&store, &*optimizer))
        };
        assert!(
            restored("c.*").unwrap().tensors == checkpoint.tensors,
            "each parameter has its own state again"
        );
        let error = restored("*.weight").unwrap_err().to_string();
        assert!(error.contains("trained with other parameter_groups"), "{error}");
    }
}
