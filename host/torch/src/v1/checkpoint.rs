//! Checkpoints as v1 writes them: `NAME.model`, a torch zip, and `NAME.model.pkl` beside it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::{Parameter, ParameterStore};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip::{self, Checkpoint, TensorData};
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_training::{Engine, History, LossScaler};

use super::model_info::{ModelInfo, OWN, beside};
use super::{hook_state, optimizer_state, plateau_state};

/// Writes `path` and the `.pkl` beside it.
pub(crate) fn save(path: &Path, engine: &Engine, info: &ModelInfo) -> Result<()> {
    let mut tensors = Vec::new();
    let mut keep = |tensor: &Tensor| -> Result<Value> {
        tensors.push(tensor_data(tensor)?);
        Ok(Value::Tensor(tensors.len() - 1))
    };
    let mut state: Vec<(Value, Value)> = Vec::new();
    for parameter in engine.predicting_store()?.parameters() {
        let first = parameter.same_as.as_deref().map(Value::str);
        let shared = state.iter().find(|(name, _)| Some(name) == first.as_ref());
        let value = match shared {
            Some((_, value)) => value.clone(),
            None => keep(&parameter.tensor)?,
        };
        state.push((Value::str(&parameter.name), value));
    }
    let learning_rate = engine.learning_rate()?;
    let optimizer = optimizer_state::to_pickle(&*engine.optimizer, &engine.store, learning_rate, &mut keep)?;
    let mut own = own_state(&engine.history);
    own.extend(hook_state::to_pickle(engine, &mut keep)?);
    let mut root = vec![
        ("epoch", Value::Int(engine.epoch as i64)),
        ("state_dict", Value::OrderedDict(state)),
        ("optimizer_state_dict", optimizer),
        (
            "lr_scheduler_state_dict",
            engine.history.plateau.as_ref().map_or(Value::None, plateau_state::to_pickle),
        ),
        ("plot_stuff", plot_stuff(&engine.history)),
        ("best_stuff", best_stuff(&engine.history)),
        (OWN, Value::dict(own)),
    ];
    if let Some(scaler) = &engine.scaler {
        root.push(("amp_grad_scaler", scaler_state(scaler)));
    }
    // Whoever finds a checkpoint needs the file beside it, also after a power failure between the two.
    pickle::save(&beside(path), &info.to_pickle()?)?;
    Ok(torch_zip::save(path, &Checkpoint { root: Value::dict(root), tensors })?)
}

fn tensor_data(tensor: &Tensor) -> Result<TensorData> {
    let shape = tensor.size().iter().map(|len| *len as usize).collect();
    if tensor.kind() == Kind::Int64 {
        let values = Vec::<i64>::try_from(&tensor.f_reshape([-1])?)?;
        return Ok(TensorData::from_i64(shape, &values));
    }
    let flat = tensor.detach().f_to_kind(Kind::Float)?.f_to_device(nnunet_plugin_api::tch::Device::Cpu)?;
    let flat = flat.f_contiguous()?.f_reshape([-1])?;
    let mut values = vec![0.0_f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(TensorData::from_f32(shape, &values))
}

/// The state dict of torch's `GradScaler`.
fn scaler_state(scaler: &LossScaler) -> Value {
    Value::dict(vec![
        ("scale", Value::Float(scaler.scale)),
        ("growth_factor", Value::Float(LossScaler::GROWTH)),
        ("backoff_factor", Value::Float(LossScaler::BACKOFF)),
        ("growth_interval", Value::Int(LossScaler::INTERVAL as i64)),
        ("_growth_tracker", Value::Int(scaler.growth_tracker as i64)),
    ])
}

/// The scaler of a checkpoint; v1 leaves the dict empty where it scaled nothing.
fn scaler_from(root: &Value) -> Option<LossScaler> {
    let state = root.get("amp_grad_scaler")?;
    let tracker = state.get("_growth_tracker").and_then(Value::as_i64).unwrap_or(0);
    Some(LossScaler { scale: state.get("scale")?.as_f64()?, growth_tracker: usize::try_from(tracker).ok()? })
}

fn floats(values: &[f64]) -> Value {
    Value::List(values.iter().map(|value| Value::Float(*value)).collect())
}

fn plot_stuff(history: &History) -> Value {
    let none = Value::List(Vec::new());
    Value::Tuple(vec![
        floats(&history.train_losses),
        floats(&history.validation_losses),
        none,
        floats(&history.metrics),
    ])
}

fn best_stuff(history: &History) -> Value {
    let number = |value: Option<f64>| value.map_or(Value::None, Value::Float);
    let (epoch, loss) = history.best_train_loss_ma.unzip();
    Value::Tuple(vec![
        epoch.map_or(Value::None, |epoch| Value::Int(epoch as i64)),
        number(loss),
        number(history.best_metric_ma),
    ])
}

/// The moving averages, which v1 loses on resuming.
fn own_state(history: &History) -> Vec<(&'static str, Value)> {
    let number = |value: Option<f64>| value.map_or(Value::None, Value::Float);
    vec![("train_loss_MA", number(history.train_loss_ma)), ("metric_MA", number(history.metric_ma))]
}

/// Puts the weights of a checkpoint into a store. A leading `module.` (data parallel training) is ignored.
pub(crate) fn load_weights(path: &Path, store: &mut ParameterStore) -> Result<()> {
    put_weights(path, &torch_zip::load(path)?, store)
}

/// Starts from the weights of another training by v1's rules: everything called `conv_blocks` must be there and fit;
/// beyond that, what has the same name and shape is taken. Returns how many parameters were.
pub(crate) fn load_pretrained(path: &Path, store: &mut ParameterStore) -> Result<usize> {
    let checkpoint = torch_zip::load(path)?;
    let state = checkpoint.root.get("state_dict").and_then(Value::entries);
    let state = state.with_context(|| format!("{}: no state_dict", path.display()))?;
    let mut taken = Vec::new();
    for (name, value) in state {
        let (Some(name), Value::Tensor(index)) = (name.as_str(), value) else { continue };
        let (name, tensor) = (name.strip_prefix("module.").unwrap_or(name), &checkpoint.tensors[*index]);
        let shape: Vec<i64> = tensor.shape.iter().map(|len| *len as i64).collect();
        let fits = store.get(name).is_some_and(|own| own.size() == shape);
        if let Some(values) = tensor.to_f32().filter(|_| fits) {
            store.set(name, &tensor.shape, &values)?;
            taken.push(name.to_owned());
        }
    }
    let needed = store.parameters().iter().filter(|parameter| parameter.name.contains("conv_blocks"));
    let missing: Vec<&String> =
        needed.map(|parameter| &parameter.name).filter(|name| !taken.contains(name)).collect();
    ensure!(
        missing.is_empty(),
        "{} does not fit this network: {missing:?} are missing or have another shape; take weights of the same plans",
        path.display()
    );
    Ok(taken.len())
}

fn put_weights(path: &Path, checkpoint: &Checkpoint, store: &mut ParameterStore) -> Result<()> {
    let state = checkpoint.root.get("state_dict").and_then(Value::entries);
    let state = state.with_context(|| format!("{}: no state_dict", path.display()))?;
    put_entries(path, state, checkpoint, store)
}

/// Puts the tensors of a state dict into a store; none may be missing.
pub(crate) fn put_entries(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
) -> Result<()> {
    put_named(path, state, checkpoint, store, |store| store.parameters())
}

/// As [`put_entries`], for the parameters of the loss.
pub(crate) fn put_loss(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
) -> Result<()> {
    put_named(path, state, checkpoint, store, |store| store.parameters_beside())
}

fn put_named(
    path: &Path,
    state: &[(Value, Value)],
    checkpoint: &Checkpoint,
    store: &mut ParameterStore,
    wanted: fn(&ParameterStore) -> &[Parameter],
) -> Result<()> {
    let firsts = wanted(store).iter().filter(|parameter| parameter.same_as.is_none());
    let mut missing: Vec<String> = firsts.map(|parameter| parameter.name.clone()).collect();
    for (name, value) in state {
        let (Value::Str(name), Value::Tensor(index)) = (name, value) else {
            bail!("{}: unexpected entry in `state_dict`: expected a name and a tensor", path.display())
        };
        let name = name.strip_prefix("module.").unwrap_or(name);
        let tensor = &checkpoint.tensors[*index];
        let values =
            tensor.to_f32().with_context(|| format!("{}: `{name}` is not floating point", path.display()))?;
        store.set(name, &tensor.shape, &values).with_context(|| path.display().to_string())?;
        missing.retain(|other| other != name);
    }
    ensure!(
        missing.is_empty(),
        "{} lacks the parameters {missing:?}; it belongs to another architecture",
        path.display()
    );
    Ok(())
}

/// Takes over a checkpoint whole: weights, momentum, epoch, history.
pub(crate) fn resume(path: &Path, engine: &mut Engine) -> Result<()> {
    let checkpoint = torch_zip::load(path)?;
    put_weights(path, &checkpoint, &mut engine.store)?;
    let root = &checkpoint.root;
    let epoch =
        root.get("epoch").and_then(Value::as_i64).with_context(|| format!("{}: no epoch", path.display()))?;
    engine.epoch = usize::try_from(epoch)?;
    optimizer_state::restore(path, &checkpoint, &engine.store, &mut *engine.optimizer)?;
    let groups = root.get("optimizer_state_dict").and_then(|state| state.get("param_groups")?.items());
    if let Some(momentum) = groups.and_then(|groups| groups.first()?.get("momentum")?.as_f64()) {
        engine.optimizer.set_momentum(momentum);
    }
    if let Some(scaler) = &mut engine.scaler {
        *scaler = scaler_from(root).unwrap_or_else(|| scaler.clone());
    }
    engine.history = history(root, engine.epoch);
    hook_state::restore(path, &checkpoint, engine)
}

fn history(root: &Value, epochs: usize) -> History {
    let list = |i: usize| {
        let mut values =
            root.get("plot_stuff").and_then(|plot| plot.items()?.get(i)?.to_f64_vec()).unwrap_or_default();
        values.truncate(epochs);
        values
    };
    let best = |i: usize| root.get("best_stuff").and_then(|best| best.items()?.get(i)?.as_f64());
    let own = |key: &str| root.get(OWN).and_then(|own| own.get(key)?.as_f64());
    History {
        train_losses: list(0),
        validation_losses: list(1),
        metrics: list(3),
        train_loss_ma: own("train_loss_MA"),
        metric_ma: own("metric_MA"),
        best_train_loss_ma: best(0).zip(best(1)).map(|(epoch, loss)| (epoch as usize, loss)),
        best_metric_ma: best(2),
        plateau: plateau_state::from_checkpoint(root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaler_is_kept_as_torch_keeps_it() {
        let scaler = LossScaler { scale: 1024.0, growth_tracker: 7 };
        let root = Value::dict(vec![("amp_grad_scaler", scaler_state(&scaler))]);
        assert_eq!(scaler_from(&root), Some(scaler));
        let disabled = Value::dict(vec![("amp_grad_scaler", Value::dict(Vec::new()))]);
        assert_eq!(scaler_from(&disabled), None);
    }
}
