//! From a trainer to an engine.

use anyhow::Result;
use nnunet_architectures::ParameterStore;
use nnunet_cli::report;
use nnunet_data::memory;
use nnunet_engine::session::Session;
use nnunet_plugin_api::tch::{self, Device, Kind as Element};
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Optimizer, Precision};
use nnunet_plugin_api::{Error as ComponentError, HeadTask, Kind, Loss, LossContext, Schedule, TaskHead};
use nnunet_torch_ops::ranks::share;
use nnunet_trainers::Resolved;
use nnunet_training::{
    Cases, Engine, FromComponent, History, LossScaler, MeasuredMetrics, Optimize, Schedules, SharedSampler,
    grouped,
};
use serde_json::Value;

use crate::fold_training::FoldTraining;
use crate::{components, network};

/// The trainer with what plans, project and command line change.
pub(super) fn resolved_trainer(fold: &dyn FoldTraining, session: &Session) -> Result<Resolved> {
    let mut trainer = fold.trainer(session)?;
    choose(&mut trainer.blueprint, fold, session)?;
    if fold.settings().single_precision {
        trainer.blueprint.precision = Precision::Fp32;
    }
    Ok(trainer)
}

/// Applies the project's choices to a blueprint, and replaces names defined in its configuration file: the model must
/// be usable without that file.
fn choose(blueprint: &mut Blueprint, fold: &dyn FoldTraining, session: &Session) -> Result<()> {
    session.choices.apply(blueprint);
    fold.complete(blueprint, session)?;
    let expand =
        |kind, choice: &ComponentChoice| Ok::<_, anyhow::Error>(session.registry.expand(kind, choice)?.1);
    blueprint.architecture = expand(Kind::Architecture, &blueprint.architecture)?;
    expand_blocks(&mut blueprint.architecture, session)?;
    blueprint.loss = expand(Kind::Loss, &blueprint.loss)?;
    blueprint.head = blueprint.head.as_ref().map(|choice| expand(Kind::Head, choice)).transpose()?;
    blueprint.sampler = blueprint.sampler.as_ref().map(|choice| expand(Kind::Sampler, choice)).transpose()?;
    blueprint.augmentation = expand(Kind::Augmentation, &blueprint.augmentation)?;
    Ok(())
}

/// The same for the registered blocks of a network.
fn expand_blocks(architecture: &mut ComponentChoice, session: &Session) -> Result<()> {
    let Some(Value::Object(replace)) = architecture.parameters.get_mut("replace") else { return Ok(()) };
    for value in replace.values_mut() {
        // What is no choice is an error of the architecture.
        if let Ok(choice) = serde_json::from_value(value.clone()) {
            let (_, choice) = session.registry.expand(Kind::Block, &choice)?;
            session.registry.check_parameters(Kind::Block, &choice.name, &choice.parameters)?;
            *value = serde_json::to_value(choice)?;
        }
    }
    Ok(())
}

/// Network, loss and optimizer of a trainer.
pub(super) fn build(fold: &dyn FoldTraining, mut trainer: Resolved, session: &Session) -> Result<Engine> {
    let head = head(fold, &mut trainer.blueprint, session)?;
    let mut spec = fold.network_spec(&trainer.blueprint)?;
    if let Some(head) = &head {
        spec.num_classes = head.outputs()?;
    }
    let device = fold.settings().device;
    let batches = fold.batch_settings(&trainer.blueprint);
    network::check_memory(&spec, share(batches.batch_size).len(), device)?;
    tch::manual_seed(trainer.blueprint.seed as i64);
    let sampler =
        SharedSampler::new(&batches.sampler.name, components::sampler(&session.registry, &batches.sampler)?);
    let architecture = &trainer.blueprint.architecture;
    let free = if device == Device::Cpu { memory::default_budget() } else { u64::MAX };
    let (mut store, network) = network::build(&session.registry, architecture, &spec, device, free)?;
    let batch_dice = trainer.blueprint.batch_dice.unwrap_or(fold.batch_dice());
    let context = LossContext { num_classes: spec.num_classes, batch_dice };
    let mut loss = loss(&trainer, &context, session)?;
    store.begin_beside();
    loss.parameters(&mut store)?;
    let kind = network::kind(trainer.blueprint.precision, &*network, device);
    let networks = network::second(&session.registry, architecture, spec.clone(), device, free)?;
    Ok(Engine {
        cases: Cases::default(),
        sampler,
        networks,
        optimizer: optimizer(&trainer.blueprint, &store, session)?,
        schedules: schedules(&trainer.blueprint, session)?,
        head,
        metrics: metrics(&trainer.blueprint, session)?,
        kind,
        scaler: (kind == Element::Half).then(LossScaler::default),
        num_classes: spec.num_classes,
        ignore_label: batches.ignore_label.map(i64::from),
        trainer,
        store,
        network,
        loss,
        epoch: 0,
        history: History::default(),
    })
}

/// The optimizer of a blueprint: one of the engine's, or a component. Where neither sets its weight decay, it is the
/// blueprint's.
fn optimizer(blueprint: &Blueprint, store: &ParameterStore, session: &Session) -> Result<Box<dyn Optimize>> {
    let parameters = store.trainable().count();
    let make = |blueprint: &Blueprint| -> nnunet_plugin_api::Result<Box<dyn Optimize>> {
        let Optimizer::Other(choice) = &blueprint.optimizer else {
            let without_groups = Blueprint { parameter_groups: Vec::new(), ..blueprint.clone() };
            return nnunet_training::optimizer(&without_groups, store);
        };
        let made = optimizer_component(choice, blueprint.weight_decay, session);
        let made = made.map_err(|error| ComponentError::message(format!("{error:#}")))?;
        Ok(Box::new(FromComponent::new(made, parameters)))
    };
    Ok(grouped(blueprint, store, &make)?)
}

/// The schedules of a blueprint, one for each parameter group and one for all other parameters.
fn schedules(blueprint: &Blueprint, session: &Session) -> Result<Schedules> {
    let make = |choice: &ComponentChoice| {
        let made = schedule(choice, session);
        made.map_err(|error| ComponentError::message(format!("lr_schedule: {error:#}")))
    };
    Ok(Schedules::new(blueprint, &make)?)
}

/// The head of a blueprint, which gets the metric of the head.
fn head(fold: &dyn FoldTraining, blueprint: &mut Blueprint, session: &Session) -> Result<Option<TaskHead>> {
    let Some(choice) = &blueprint.head else { return Ok(None) };
    fold.check_head()?;
    let labels = fold.batch_settings(blueprint).context.num_labels;
    let task = HeadTask { labels, regions: blueprint.regions.clone() };
    let head = components::head(&session.registry, choice, task)?;
    if let Some(metric) = head.facts().metric.clone() {
        blueprint.best_metric.get_or_insert_with(|| metric.name.clone());
        if !blueprint.metrics.iter().any(|known| known.name == metric.name) {
            blueprint.metrics.push(metric);
        }
    }
    Ok(Some(head))
}

/// The metrics of a blueprint.
fn metrics(blueprint: &Blueprint, session: &Session) -> Result<MeasuredMetrics> {
    let make = |choice: &ComponentChoice| {
        let known = session.registry.check_parameters(Kind::Metric, &choice.name, &choice.parameters);
        let made = known.and_then(|()| components::metric(&session.registry, choice));
        made.map_err(|error| ComponentError::message(format!("metrics: {error:#}")))
    };
    Ok(MeasuredMetrics::new(blueprint, &make)?)
}

fn schedule(choice: &ComponentChoice, session: &Session) -> Result<Box<dyn Schedule>> {
    session.registry.check_parameters(Kind::Schedule, &choice.name, &choice.parameters)?;
    session.registry.schedule(choice)
}

fn optimizer_component(
    choice: &ComponentChoice,
    weight_decay: f64,
    session: &Session,
) -> Result<Box<dyn nnunet_plugin_api::Optimizer>> {
    let (entry, mut choice) = session.registry.expand(Kind::Optimizer, choice)?;
    session.registry.check_parameters(Kind::Optimizer, &choice.name, &choice.parameters)?;
    if entry.component.info.defaults.contains_key("weight_decay") {
        choice.parameters.entry("weight_decay").or_insert(weight_decay.into());
    }
    components::optimizer(&session.registry, &choice)
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
