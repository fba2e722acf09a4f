//! Checkpoints as v1 writes them: `NAME.model`, a torch zip, and `NAME.model.pkl` beside it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_architectures::ParameterStore;
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip::{self, Checkpoint};
use nnunet_plugin_api::tch::Tensor;
use nnunet_training::{Criterion, Engine, History};

use super::model_info::{ModelInfo, OWN, beside};
use super::state_dict::{put_entries, read_entries};
use super::{hook_state, plateau_state};
use crate::optimizer_state;
use crate::torch_state::{scaler_from, scaler_state, tensor_data};

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
    let schedules = engine.schedules.save_state()?;
    let plateau = schedules.last().and_then(plateau_state::to_pickle);
    let mut root = vec![
        ("epoch", Value::Int(engine.epoch as i64)),
        ("state_dict", Value::OrderedDict(state)),
        ("optimizer_state_dict", optimizer),
        ("lr_scheduler_state_dict", plateau.unwrap_or(Value::None)),
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
    let (root, tensors) = torch_zip::open(path)?;
    read_entries(path, state_dict(path, &root)?, tensors, store)
}

fn state_dict<'a>(path: &Path, root: &'a Value) -> Result<&'a [(Value, Value)]> {
    let state = root.get("state_dict").and_then(Value::entries);
    state.with_context(|| format!("{}: no state_dict", path.display()))
}

/// Starts from the weights of another training by v1's rules: everything called `conv_blocks` must be there and fit;
/// beyond that, what has the same name and shape is taken. Returns how many parameters were.
pub(crate) fn load_pretrained(path: &Path, store: &mut ParameterStore) -> Result<usize> {
    let checkpoint = torch_zip::load(path)?;
    let state = state_dict(path, &checkpoint.root)?;
    let mut taken = Vec::new();
    for (name, value) in state {
        let (Some(name), Value::Tensor(index)) = (name.as_str(), value) else { continue };
        let (name, tensor) = (name.strip_prefix("module.").unwrap_or(name), &checkpoint.tensors[*index]);
        let shape: Vec<i64> = tensor.shape.iter().map(|len| *len as i64).collect();
        let fits = store.get(name).is_some_and(|own| own.size() == shape);
        if let Some(values) = tensor.as_f32().filter(|_| fits) {
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

/// Takes over a checkpoint whole: weights, momentum, epoch, history.
pub(crate) fn resume(path: &Path, engine: &mut Engine) -> Result<()> {
    let checkpoint = torch_zip::load(path)?;
    put_entries(path, state_dict(path, &checkpoint.root)?, &checkpoint, &mut engine.store)?;
    let root = &checkpoint.root;
    let epoch =
        root.get("epoch").and_then(Value::as_i64).with_context(|| format!("{}: no epoch", path.display()))?;
    engine.epoch = usize::try_from(epoch)?;
    let saved = root.get("optimizer_state_dict");
    optimizer_state::restore(path, saved, &checkpoint, &engine.store, &mut *engine.optimizer)?;
    let groups = root.get("optimizer_state_dict").and_then(|state| state.get("param_groups")?.items());
    if let Some(momentum) = groups.and_then(|groups| groups.first()?.get("momentum")?.as_f64()) {
        engine.optimizer.set_momentum(momentum);
    }
    if let Some(scaler) = &mut engine.scaler {
        *scaler = root.get("amp_grad_scaler").and_then(scaler_from).unwrap_or_else(|| scaler.clone());
    }
    engine.history = history(root, engine.epoch);
    if let Some(state) = plateau_state::from_checkpoint(root)
        && engine.trainer.blueprint.parameter_groups.is_empty()
    {
        engine.schedules.load_state(vec![state])?;
    }
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
        criterion: Criterion::default(),
        epochs: Vec::new(),
    }
}
