//! What components keep in a checkpoint, under our own key: states of trainers, of the sampler and of schedules, and networks beside the one
//! in `state_dict`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use nnunet_architectures::Parameter;
use nnunet_cli::report;
use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::Checkpoint;
use nnunet_plugin_api::tch::{Device, Tensor};
use nnunet_plugin_api::{Error, MAIN_NETWORK, TrainerState};
use nnunet_training::Engine;

use super::model_info::OWN;
use super::state_dict::{put_entries, put_loss};

/// States of trainers by name.
const TRAINERS: &str = "trainers";
/// The sampler's name and state.
const SAMPLER: &str = "sampler";
/// Networks by name; the trained one has none.
const NETWORKS: &str = "networks";
/// Name of the network whose weights are the `state_dict`.
const PREDICTING: &str = "predicting";

/// Parameters of the loss.
const LOSS: &str = "loss_parameters";
/// States of the learning rate schedules, of each parameter group, as JSON.
const SCHEDULES: &str = "lr_schedules";
/// State of the metric that determines the best checkpoint, as JSON.
const CRITERION: &str = "best_metric";

/// Stores a tensor and names it.
type Keep<'a> = &'a mut dyn FnMut(&Tensor) -> Result<Value>;

/// The entries of a checkpoint's own dict.
pub(crate) fn to_pickle(engine: &Engine, keep: Keep<'_>) -> Result<Vec<(&'static str, Value)>> {
    let mut entries = Vec::new();
    let predicting = engine.networks.predicting()?.map(|second| second.name.as_str());
    let mut networks = Vec::new();
    if let Some(name) = predicting {
        entries.push((PREDICTING, Value::str(name)));
        networks.push((Value::str(MAIN_NETWORK), parameters(engine.store.parameters(), keep)?));
    }
    if !engine.store.parameters_beside().is_empty() {
        entries.push((LOSS, parameters(engine.store.parameters_beside(), keep)?));
    }
    for second in engine.networks.all().iter().filter(|second| Some(second.name.as_str()) != predicting) {
        networks.push((Value::str(&second.name), parameters(second.store.parameters(), keep)?));
    }
    if !networks.is_empty() {
        entries.push((NETWORKS, Value::Dict(networks)));
    }
    let mut trainers = Vec::new();
    for (name, state) in engine.trainer.save_state()?.into_iter().filter(|(_, state)| !state.is_empty()) {
        let tensors = state.tensors.iter().map(|(name, tensor)| Ok((Value::str(name), keep(tensor)?)));
        let values = Value::Str(serde_json::to_string(&state.values)?);
        let entry = vec![("tensors", Value::Dict(tensors.collect::<Result<_>>()?)), ("values", values)];
        trainers.push((Value::Str(name), Value::dict(entry)));
    }
    let state = engine.sampler.save_state()?;
    if !state.is_empty() {
        let values = Value::Str(serde_json::to_string(&state)?);
        entries.push((
            SAMPLER,
            Value::dict(vec![("name", Value::str(engine.sampler.name())), ("values", values)]),
        ));
    }
    if !trainers.is_empty() {
        entries.push((TRAINERS, Value::Dict(trainers)));
    }
    if !engine.history.criterion.is_empty() {
        entries.push((CRITERION, Value::Str(serde_json::to_string(&engine.history.criterion)?)));
    }
    let schedules = engine.schedules.save_state()?;
    if schedules.iter().any(|state| !state.is_empty()) {
        entries.push((SCHEDULES, Value::Str(serde_json::to_string(&schedules)?)));
    }
    Ok(entries)
}

fn parameters(all: &[Parameter], keep: Keep<'_>) -> Result<Value> {
    let all = all.iter().filter(|parameter| parameter.same_as.is_none());
    let entries = all.map(|parameter| Ok((Value::str(&parameter.name), keep(&parameter.tensor)?)));
    Ok(Value::OrderedDict(entries.collect::<Result<_>>()?))
}

/// Restores what [`to_pickle`] kept. `state_dict` is in the trained network already.
pub(crate) fn restore(path: &Path, checkpoint: &Checkpoint, engine: &mut Engine) -> Result<()> {
    let shown = || path.display().to_string();
    let own = |key: &str| checkpoint.root.get(OWN).and_then(|own| own.get(key));
    if let Some(name) = own(PREDICTING).and_then(Value::as_str) {
        engine.networks.add(name, &engine.store).with_context(shown)?;
    }
    for (name, entries) in own(NETWORKS).and_then(Value::entries).into_iter().flatten() {
        let name = name.as_str().with_context(shown)?;
        let entries = entries.entries().with_context(shown)?;
        if name == MAIN_NETWORK {
            put_entries(path, entries, checkpoint, &mut engine.store)?;
            continue;
        }
        engine.networks.add(name, &engine.store).with_context(shown)?;
        put_entries(path, entries, checkpoint, engine.networks.store_mut(name)?)?;
    }
    if let Some(entries) = own(LOSS).and_then(Value::entries) {
        put_loss(path, entries, checkpoint, &mut engine.store)?;
    }
    if let Some(criterion) = own(CRITERION).and_then(Value::as_str) {
        engine.history.criterion = serde_json::from_str(criterion).with_context(shown)?;
    }
    if let Some(entry) = own(SAMPLER) {
        restore_sampler(entry, engine).with_context(shown)?;
    }
    if let Some(states) = own(SCHEDULES).and_then(Value::as_str) {
        let states = serde_json::from_str(states).with_context(shown)?;
        engine.schedules.load_state(states).with_context(shown)?;
    }
    let mut states = BTreeMap::new();
    for (name, entry) in own(TRAINERS).and_then(Value::entries).into_iter().flatten() {
        let name = name.as_str().with_context(shown)?.to_owned();
        states.insert(name, state(entry, checkpoint, engine.store.device()).with_context(shown)?);
    }
    let loaded = engine.trainer.load_state(states);
    loaded.map_err(|error: Error| anyhow!("{}: {error}", path.display()))
}

/// The state of another sampler than the one in use is left.
fn restore_sampler(entry: &Value, engine: &Engine) -> Result<()> {
    let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
    if name != engine.sampler.name() {
        report::line(&format!(
            "the sampler is {} now; what {name} has learned is not used",
            engine.sampler.name()
        ));
        return Ok(());
    }
    let values = entry.get("values").and_then(Value::as_str).unwrap_or("{}");
    Ok(engine.sampler.load_state(serde_json::from_str(values)?)?)
}

fn state(entry: &Value, checkpoint: &Checkpoint, device: Device) -> Result<TrainerState> {
    let mut tensors = BTreeMap::new();
    for (name, value) in entry.get("tensors").and_then(Value::entries).into_iter().flatten() {
        let (Some(name), Value::Tensor(index)) = (name.as_str(), value) else { continue };
        let data = &checkpoint.tensors[*index];
        let shape: Vec<i64> = data.shape.iter().map(|len| *len as i64).collect();
        let values = data.as_f32().with_context(|| format!("`{name}` is not floating point"))?;
        let tensor = Tensor::f_from_slice(&values)?.f_reshape(&shape)?.f_to_device(device)?;
        tensors.insert(name.to_owned(), tensor);
    }
    let values = entry.get("values").and_then(Value::as_str).unwrap_or("{}");
    Ok(TrainerState { tensors, values: serde_json::from_str(values)? })
}
