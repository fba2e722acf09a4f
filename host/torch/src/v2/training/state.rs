//! A training in v2's checkpoints: written, continued, and weights to start from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_architectures::Parameter;
use nnunet_cli::report;
use nnunet_data::models::has_checkpoint;
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::session::Session;
use nnunet_formats::pickle::Value;
use nnunet_formats::safetensors;
use nnunet_formats::torch_zip::{self, Checkpoint as Content, TensorData};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Config, Kind};
use nnunet_training::{Engine, LossScaler};

use super::history;
use super::job::Job;
use super::python_class::python_class;
use crate::fold_training::CheckpointKind;
use crate::torch_state::{self, scaler_from, scaler_state, tensor_data};
use crate::v1::hook_state;
use crate::v1::model_info::OWN;
use crate::v2::checkpoint::{Checkpoint, HEAD, OwnHead, SET, is_segmentation_layer, names_in_python};
use crate::weights::Weights;
use crate::{checkpoints, optimizer_state, plugins_used};

/// The file of a checkpoint.
pub(super) fn file_name(kind: CheckpointKind) -> &'static str {
    match kind {
        CheckpointKind::Latest => "checkpoint_latest.pth",
        CheckpointKind::Best => "checkpoint_best.pth",
        CheckpointKind::Final => "checkpoint_final.pth",
    }
}

/// What a checkpoint says beside the state of the training.
pub(super) struct ModelFacts {
    /// v2's arguments of a trainer.
    init_args: Value,
    /// The nearest class of v2.
    trainer_name: String,
    /// The trainer's own name.
    trainer: String,
    mirror_axes: Option<Vec<usize>>,
    /// The head and its task, if the trainer names one.
    head: Option<OwnHead>,
    pub(super) plugins: Vec<PluginUse>,
    /// Settings and parameters of the command line.
    set: Config,
    /// Whether the weights are written as safetensors too.
    safetensors: bool,
}

impl ModelFacts {
    pub(super) fn new(job: &Job<'_>, engine: &Engine, session: &Session) -> Self {
        let settings = &job.settings;
        let fold = settings.fold.parse().map_or_else(|_| Value::str(&settings.fold), Value::Int);
        let blueprint = &engine.trainer.blueprint;
        let axes = blueprint.mirror_axes.clone().unwrap_or_else(|| (0..job.axes()).collect());
        Self {
            init_args: Value::dict(vec![
                ("plans", torch_state::from_json(&job.plans_json)),
                ("configuration", Value::str(&settings.configuration)),
                ("fold", fold),
                ("dataset_json", torch_state::from_json(&job.dataset_json)),
                ("device", Value::str(if settings.device.is_cuda() { "cuda" } else { "cpu" })),
            ]),
            trainer_name: python_class(&engine.trainer.names, session),
            trainer: settings.trainer.clone(),
            mirror_axes: (!axes.is_empty()).then_some(axes),
            head: own_head(engine),
            plugins: all_plugins(job, engine, session),
            set: engine.trainer.set.clone(),
            safetensors: job.args.safetensors,
        }
    }
}

fn own_head(engine: &Engine) -> Option<OwnHead> {
    let choice = engine.trainer.blueprint.head.clone()?;
    Some(OwnHead { choice, task: engine.head.as_ref()?.task().clone() })
}

/// The plugins behind the plans and their data, as they were then, and behind this training.
fn all_plugins(job: &Job<'_>, engine: &Engine, session: &Session) -> Vec<PluginUse> {
    let schemes = job.configuration.normalization_schemes.iter();
    let schemes = schemes.map(|name| (Kind::Normalization, name.clone()));
    let now = plugins_used::of_training(&engine.trainer, schemes, session);
    provenance::join(job.plans_plugins.clone(), now)
}

/// The settings and parameters that a checkpoint's training was started with.
pub(super) fn set_of(path: &Path) -> Result<Config> {
    Checkpoint::open(path)?.set()
}

/// Writes a checkpoint that v2 continues, and predicts with.
pub(super) fn save(path: &Path, engine: &Engine, facts: &ModelFacts) -> Result<()> {
    let mut tensors = Vec::new();
    let mut keep = |tensor: &Tensor| -> Result<Value> {
        tensors.push(tensor_data(tensor)?);
        Ok(Value::Tensor(tensors.len() - 1))
    };
    let mut weights = Vec::new();
    let architecture = &engine.trainer.blueprint.architecture.name;
    for parameter in engine.predicting_store()?.parameters() {
        let value = keep(&parameter.tensor)?;
        let names = names_in_python(architecture, &parameter.name);
        weights.extend(names.into_iter().map(|name| (Value::Str(name), value.clone())));
    }
    let rate = engine.learning_rate()?;
    let optimizer = optimizer_state::to_pickle(&*engine.optimizer, &engine.store, rate, &mut keep)?;
    let mut own = vec![
        ("trainer", Value::str(&facts.trainer)),
        ("plugins", Value::Str(serde_json::to_string(&facts.plugins)?)),
    ];
    if let Some(head) = &facts.head {
        own.push((HEAD, Value::Str(serde_json::to_string(head)?)));
    }
    if !facts.set.is_empty() {
        own.push((SET, Value::Str(serde_json::to_string(&facts.set)?)));
    }
    own.extend(hook_state::to_pickle(engine, &mut keep)?);
    let axes = facts.mirror_axes.as_ref();
    if facts.safetensors {
        save_safetensors(path, &weights, &tensors)?;
    }
    let root = Value::dict(vec![
        ("network_weights", Value::OrderedDict(weights)),
        ("optimizer_state", optimizer),
        ("grad_scaler_state", engine.scaler.as_ref().map_or(Value::None, scaler_state)),
        ("logging", history::to_pickle(&engine.history)),
        ("_best_ema", engine.history.best_metric_ma.map_or(Value::None, Value::Float)),
        ("current_epoch", Value::Int(engine.epoch as i64)),
        ("init_args", facts.init_args.clone()),
        ("trainer_name", Value::str(&facts.trainer_name)),
        (
            "inference_allowed_mirroring_axes",
            axes.map_or(Value::None, |axes| {
                Value::Tuple(axes.iter().map(|axis| Value::Int(*axis as i64)).collect())
            }),
        ),
        (OWN, Value::dict(own)),
    ]);
    Ok(torch_zip::save(path, &Content { root, tensors })?)
}

/// The file with a checkpoint's weights as safetensors.
pub(super) fn safetensors_beside(path: &Path) -> PathBuf {
    path.with_extension("safetensors")
}

fn save_safetensors(path: &Path, weights: &[(Value, Value)], tensors: &[TensorData]) -> Result<()> {
    let named = weights.iter().filter_map(|(name, value)| match value {
        Value::Tensor(index) => Some((name.as_str()?, tensors.get(*index)?)),
        _ => None,
    });
    Ok(safetensors::save(&safetensors_beside(path), named)?)
}

/// The plugins that a checkpoint was made with.
pub(super) fn plugins_of(path: &Path) -> Result<Vec<PluginUse>> {
    Checkpoint::open(path)?.plugins()
}

/// The checkpoint that a training is continued from; none if there is none.
pub(super) fn newest(output: &Path) -> Option<PathBuf> {
    let [latest, last, best] = [CheckpointKind::Latest, CheckpointKind::Final, CheckpointKind::Best]
        .map(|kind| output.join(file_name(kind)));
    checkpoints::newest([latest, last], best)
}

/// Weights to validate, to continue with, or to start from; without any of them the random ones stay.
pub(super) fn load(job: &Job<'_>, engine: &mut Engine) -> Result<()> {
    let (args, output) = (job.args, &job.settings.output);
    if args.val {
        let path = output.join(file_name(CheckpointKind::Final));
        ensure!(has_checkpoint(output), "{} is not trained: start it without --val", output.display());
        ensure!(path.is_file(), "there is no {}; finish the training first (--c)", path.display());
        return Checkpoint::open(&path)?.read_weights(&mut engine.store);
    }
    if args.continue_training {
        return match newest(output) {
            Some(path) => resume(&path, engine),
            None => {
                report::line(&format!(
                    "there is no checkpoint in {} to continue from; a new training starts",
                    output.display()
                ));
                Ok(())
            }
        };
    }
    match &args.pretrained_weights {
        Some(path) => load_pretrained(path, engine),
        None => Ok(()),
    }
}

/// Takes over a checkpoint whole: weights, momentum, epoch, history.
fn resume(path: &Path, engine: &mut Engine) -> Result<()> {
    let checkpoint = Checkpoint::open(path)?;
    let weights = checkpoint.weights_for(&engine.store)?;
    let content = &checkpoint.read()?;
    weights.put(&content.tensors, &mut engine.store).with_context(|| path.display().to_string())?;
    let root = &content.root;
    let epoch = root.get("current_epoch").and_then(Value::as_i64);
    engine.epoch = usize::try_from(epoch.with_context(|| format!("{}: no current_epoch", path.display()))?)?;
    let saved = root.get("optimizer_state");
    optimizer_state::restore(path, saved, content, &engine.store, &mut *engine.optimizer)?;
    let scaler = root.get("grad_scaler_state").and_then(scaler_from);
    if let Some(own) = &mut engine.scaler {
        *own = scaler.unwrap_or_else(LossScaler::default);
    }
    let best = root.get("_best_ema").and_then(Value::as_f64);
    engine.history = history::from_pickle(root.get("logging"), engine.epoch, best, &engine.trainer.blueprint);
    hook_state::restore(path, content, engine)
}

/// Starts from the weights of another training by v2's rules: all but the segmentation layers must be there and fit.
fn load_pretrained(path: &Path, engine: &mut Engine) -> Result<()> {
    let checkpoint = Checkpoint::open(path)?;
    let mut weights = checkpoint.weights()?;
    let mut taken = Weights::default();
    let parameters = engine.store.parameters().iter();
    for Parameter { name, .. } in parameters.filter(|parameter| !is_segmentation_layer(&parameter.name)) {
        let Some(Value::Tensor(index)) = weights.remove(name.as_str()) else {
            bail!("{}: the parameter {name} is missing; take weights of the same plans", path.display())
        };
        taken.0.push((name.clone(), *index));
    }
    checkpoint.read_some(&taken, &mut engine.store).context("take weights of the same plans")?;
    report::line(&format!("{} parameters start from {}", taken.0.len(), path.display()));
    Ok(())
}
