//! From a resolved trainer to an engine, and what a checkpoint says of it.

use std::path::Path;

use anyhow::Result;
use nnunet_cli::report;
use nnunet_data::memory;
use nnunet_engine::provenance::{self, PluginUse};
use nnunet_engine::registry::Origin;
use nnunet_engine::session::Session;
use nnunet_formats::pickle::Value;
use nnunet_plugin_api::tch::{self, Device, Kind as Element};
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Precision};
use nnunet_plugin_api::{Kind, Loss, LossContext, NetworkSpec};
use nnunet_trainers::Resolved;
use nnunet_training::{Cases, Engine, History, LossScaler, optimizer};

use super::job::Job;
use crate::v1::model_info::ModelInfo;
use crate::v1::network as v1_network;
use crate::{components, network};

/// Applies the project's choices to a blueprint, and replaces names defined in its configuration file: the model must
/// be usable without that file.
pub(super) fn choose(blueprint: &mut Blueprint, session: &Session) -> Result<()> {
    session.choices.apply(blueprint);
    let expand =
        |kind, choice: &ComponentChoice| Ok::<_, anyhow::Error>(session.registry.expand(kind, choice)?.1);
    blueprint.architecture = expand(Kind::Architecture, &blueprint.architecture)?;
    blueprint.loss = expand(Kind::Loss, &blueprint.loss)?;
    blueprint.augmentation = expand(Kind::Augmentation, &blueprint.augmentation)?;
    Ok(())
}

/// The specification of the network.
pub(super) fn spec(job: &Job<'_>, trainer: &Resolved) -> NetworkSpec {
    let regions = trainer.blueprint.regions.as_ref();
    v1_network::spec(&job.plans, job.stage(), regions, job.is_second_stage())
}

/// Network, loss and optimizer of a trainer.
pub(super) fn build(job: &Job<'_>, trainer: Resolved, session: &Session) -> Result<Engine> {
    let spec = spec(job, &trainer);
    let device = job.device;
    let batch = trainer.blueprint.batch_size.unwrap_or(job.stage().batch_size);
    network::check_memory(&spec, batch, device)?;
    tch::manual_seed(trainer.blueprint.seed as i64);
    let architecture = &trainer.blueprint.architecture;
    let free = if device == Device::Cpu { memory::default_budget() } else { u64::MAX };
    let (mut store, network) = network::build(&session.registry, architecture, &spec, device, free)?;
    let batch_dice = trainer.blueprint.batch_dice.unwrap_or(job.batch_dice);
    let context = LossContext { num_classes: spec.num_classes, batch_dice };
    let mut loss = loss(&trainer, &context, session)?;
    store.begin_beside();
    loss.parameters(&mut store)?;
    let kind = network::kind(trainer.blueprint.precision, &*network, device);
    let networks = network::second(&session.registry, architecture, spec.clone(), device, free)?;
    Ok(Engine {
        cases: Cases::default(),
        networks,
        optimizer: optimizer(&trainer.blueprint, &store),
        kind,
        scaler: (kind == Element::Half).then(LossScaler::default),
        num_classes: spec.num_classes,
        trainer,
        store,
        network,
        loss,
        epoch: 0,
        history: History::default(),
    })
}

/// The project's loss, else the one that the trainer brings, else its blueprint's.
fn loss(trainer: &Resolved, context: &LossContext, session: &Session) -> Result<Box<dyn Loss>> {
    let mut choice = trainer.blueprint.loss.clone();
    if let Some(own) = trainer.loss(context)? {
        let name = trainer.names.last().map_or("", String::as_str);
        let loss = &choice.name;
        if session.choices.loss.is_none() {
            report::line(&format!("trainer {name} uses its own loss instead of {loss}"));
            return Ok(own);
        }
        report::line(&format!(
            "[use] in nnunet.toml selects the loss {loss} instead of that of trainer {name}"
        ));
    }
    if components::has_parameter(&session.registry, Kind::Loss, &choice.name, "batch_dice") {
        choice.parameters.entry("batch_dice").or_insert(context.batch_dice.into());
    }
    components::loss(&session.registry, &choice)
}

/// What the `.pkl` beside a checkpoint says. v1 finds classes by name, so it gets the nearest ancestor it knows.
pub(super) fn info(job: &Job<'_>, engine: &Engine, session: &Session) -> ModelInfo {
    let names = &engine.trainer.names;
    let built_in = |name: &&String| {
        session.registry.find(Kind::Trainer, name).is_ok_and(|e| e.origin == Origin::BuiltIn)
    };
    // Data-parallel classes want to know devices; their parent predicts the same.
    let plain = |name: &&String| built_in(name) && !name.ends_with("_DP") && !name.ends_with("_DDP");
    let v1_trainer = names.iter().rev().find(plain).map_or("nnUNetTrainerV2", String::as_str).to_owned();
    let path = |path: &Path| Value::Str(path.display().to_string());
    let fold = job.args.fold.parse().map_or_else(|_| Value::str(&job.args.fold), Value::Int);
    let mut init = vec![
        path(&job.plans_file),
        fold,
        path(&job.model),
        path(&job.preprocessed),
        Value::Bool(job.batch_dice),
        Value::Int(job.stage as i64),
        Value::Bool(!job.args.use_compressed_data),
        Value::Bool(false),
        Value::Bool(engine.trainer.blueprint.precision != Precision::Fp32),
    ];
    let blueprint = &engine.trainer.blueprint;
    if job.is_second_stage() {
        // v1's constructor takes it before the precision.
        init.insert(init.len() - 1, Value::str(&blueprint.previous_trainer));
    }
    ModelInfo {
        init: Value::Tuple(init),
        v1_trainer,
        trainer: job.args.trainer.clone(),
        plans: job.plans.clone(),
        architecture: blueprint.architecture.clone(),
        mirror_axes: blueprint.mirror_axes.clone(),
        regions: blueprint.regions.clone(),
        plugins: plugins_used(job, engine, session),
    }
}

/// The plugins behind the plans and their data, as they were then, and behind this training.
fn plugins_used(job: &Job<'_>, engine: &Engine, session: &Session) -> Vec<PluginUse> {
    let blueprint = &engine.trainer.blueprint;
    let trainers = engine.trainer.names.iter().map(|name| (Kind::Trainer, name));
    // Plans that Python made, or an earlier version, only name these.
    let schemes = job.plans.normalization_schemes.iter().map(|name| (Kind::Normalization, name));
    let others = [
        (Kind::Preprocessor, &job.plans.preprocessor_name),
        (Kind::Architecture, &blueprint.architecture.name),
        (Kind::Augmentation, &blueprint.augmentation.name),
        (Kind::Loss, &blueprint.loss.name),
    ];
    let now = provenance::plugins_used(session, trainers.chain(schemes).chain(others));
    provenance::join(job.plans_plugins.clone(), now)
}
