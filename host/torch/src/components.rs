//! Components with tensors, by name.

use std::cell::RefCell;

use anyhow::{Result, anyhow};
use nnunet_engine::component_set::ComponentSet;
use nnunet_engine::components::note_part;
use nnunet_engine::config::{extends, is_setting, without_extends};
use nnunet_engine::registry::{Origin, Registry};
use nnunet_losses::{WEIGHTED_SUM, WeightedSum};
use nnunet_plugin_api::abi::v1::import_with_tensors;
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Optimizer as BlueprintOptimizer};
use nnunet_plugin_api::{
    Architecture, Augmentation, Component, Config, Error as ComponentError, Factory, Head, HeadTask, Info,
    Kind, Loss, Make, Metric, Optimizer, Sampler, TaskHead, TensorFactories, Trainer, TrainerContext,
    overlay, parse_config,
};

use crate::trainer_parameters::TrainerParameters;

/// The component set of the program with tensors.
pub(crate) const WITH_TENSORS: ComponentSet =
    ComponentSet { import: import_with_tensors, trainer: from_table, tensors: true };

struct TableTrainer {
    extends: String,
    table: Config,
}

impl Trainer for TableTrainer {
    fn extends(&self) -> String {
        self.extends.clone()
    }

    fn configure(
        &self,
        blueprint: &mut Blueprint,
        _context: &TrainerContext,
    ) -> nnunet_plugin_api::Result<()> {
        overlay(blueprint, &self.table)
    }
}

fn from_table(info: Info, table: Config) -> Result<Component> {
    let parent = extends(Kind::Trainer, &info.name, &table)?;
    // Other keys are parameters of parents: see `resolve_trainer_with`.
    let table: Config = without_extends(&table).into_iter().filter(|(key, _)| is_setting(key)).collect();
    Ok(Component::trainer(info, move |_| {
        Ok(Box::new(TableTrainer { extends: parent.clone(), table: table.clone() }))
    }))
}

fn of_augmentation(factory: &Factory) -> Option<&Make<dyn Augmentation>> {
    match factory {
        Factory::Augmentation(make) => Some(make),
        _ => None,
    }
}

fn of_sampler(factory: &Factory) -> Option<&Make<dyn Sampler>> {
    match factory {
        Factory::Sampler(make) => Some(make),
        _ => None,
    }
}

macro_rules! factory {
    ($(#[$meta:meta])* $fn:ident, $kind:ident, $make:expr) => {
        $(#[$meta])*
        pub(crate) fn $fn(registry: &Registry, choice: &ComponentChoice) -> Result<Box<dyn $kind>> {
            let (entry, choice) = registry.expand(Kind::$kind, choice)?;
            let factory = &entry.component.factory;
            match $make(factory) {
                Some(make) => make(&choice.parameters).map_err(|error| anyhow!("{} `{}`: {error}", Kind::$kind, choice.name)),
                None => Err(anyhow!("{} `{}` cannot be made here", Kind::$kind, choice.name)),
            }
        }
    };
}

factory!(
    /// Makes an architecture.
    architecture, Architecture, TensorFactories::architecture
);
factory!(
    /// Makes an augmentation.
    augmentation, Augmentation, of_augmentation
);
factory!(
    /// Makes a sampler.
    sampler, Sampler, of_sampler
);
factory!(
    /// Makes a loss that is not made of others.
    single_loss, Loss, TensorFactories::loss
);

/// Makes a loss. The parts of a sum may be losses of plugins.
pub(crate) fn loss(registry: &Registry, choice: &ComponentChoice) -> Result<Box<dyn Loss>> {
    let (entry, expanded) = registry.expand(Kind::Loss, choice)?;
    if expanded.name != WEIGHTED_SUM || entry.origin != Origin::BuiltIn {
        return single_loss(registry, choice);
    }
    let failed = |error: ComponentError| anyhow!("loss `{}`: {error}", choice.name);
    let config = parse_config(&expanded.parameters).map_err(failed)?;
    let part = |choice: &ComponentChoice| {
        note_part(Kind::Loss, &choice.name);
        loss(registry, choice).map_err(|error| ComponentError::message(format!("{error:#}")))
    };
    Ok(Box::new(WeightedSum::new(&config, &part).map_err(failed)?))
}

factory!(
    /// Makes a head.
    untasked_head, Head, TensorFactories::head
);

/// The head of a task.
pub(crate) fn head(registry: &Registry, choice: &ComponentChoice, task: HeadTask) -> Result<TaskHead> {
    registry.check_parameters(Kind::Head, &choice.name, &choice.parameters)?;
    Ok(TaskHead::new(untasked_head(registry, choice)?, task))
}

factory!(
    /// Makes a metric.
    metric, Metric, TensorFactories::metric
);
factory!(
    /// Makes an optimizer.
    optimizer, Optimizer, TensorFactories::optimizer
);
factory!(
    /// Makes a trainer.
    trainer, Trainer, TensorFactories::trainer
);

/// The components that a blueprint names.
pub(crate) fn named_by(blueprint: &Blueprint) -> Vec<(Kind, String)> {
    let mut all = vec![
        (Kind::Architecture, blueprint.architecture.name.clone()),
        (Kind::Augmentation, blueprint.augmentation.name.clone()),
        (Kind::Loss, blueprint.loss.name.clone()),
    ];
    if let BlueprintOptimizer::Other(choice) = &blueprint.optimizer {
        all.push((Kind::Optimizer, choice.name.clone()));
    }
    all.extend(blueprint.head.iter().map(|choice| (Kind::Head, choice.name.clone())));
    all.extend(blueprint.metrics.iter().map(|choice| (Kind::Metric, choice.name.clone())));
    all.extend(blueprint.sampler.iter().map(|choice| (Kind::Sampler, choice.name.clone())));
    let of_groups = blueprint.parameter_groups.iter().filter_map(|group| group.lr_schedule.as_ref());
    let schedules = std::iter::once(&blueprint.lr_schedule).chain(of_groups);
    all.extend(schedules.filter_map(|schedule| Some((Kind::Schedule, schedule.choice().ok()?.name))));
    all
}

/// Whether a component takes a parameter.
pub(crate) fn has_parameter(registry: &Registry, kind: Kind, name: &str, parameter: &str) -> bool {
    let expanded = registry.expand(kind, &ComponentChoice::named(name));
    expanded.is_ok_and(|(entry, _)| entry.component.info.defaults.contains_key(parameter))
}

/// The resolved trainer of a name.
pub(crate) fn resolve_trainer(
    registry: &Registry,
    name: &str,
    context: &TrainerContext,
) -> Result<nnunet_trainers::Resolved> {
    resolve_trainer_with(registry, name, context, &Config::new())
}

/// As [`resolve_trainer`], with the settings and parameters of the command line.
pub(crate) fn resolve_trainer_with(
    registry: &Registry,
    name: &str,
    context: &TrainerContext,
    set: &Config,
) -> Result<nnunet_trainers::Resolved> {
    resolve_trainer_as(registry, name, context, set, &|name| name)
}

/// As [`resolve_trainer_with`]; `registered` gives what a trainer of a name is registered as.
pub(crate) fn resolve_trainer_as(
    registry: &Registry,
    name: &str,
    context: &TrainerContext,
    set: &Config,
    registered: &dyn for<'a> Fn(&'a str) -> &'a str,
) -> Result<nnunet_trainers::Resolved> {
    registry.find(Kind::Trainer, registered(name))?;
    let mut settings = set.clone();
    settings.retain(|key, _| is_setting(key));
    let parameters = RefCell::new(TrainerParameters::new(set));
    let lookup = |name: &str| {
        let name = registered(name);
        let found = registry.find(Kind::Trainer, name).map_err(text)?;
        let parameters = parameters.borrow_mut().of(found);
        trainer(registry, &ComponentChoice { name: name.to_owned(), parameters }).map_err(text)
    };
    let mut resolved =
        nnunet_trainers::resolve(name, context, &lookup).map_err(|error| anyhow!("{error}"))?;
    parameters.borrow().finish(name)?;
    resolved.overlay(&settings).map_err(|error| anyhow!("--set: {error}"))?;
    resolved.set.clone_from(set);
    Ok(resolved)
}

fn text(error: anyhow::Error) -> ComponentError {
    ComponentError::message(format!("{error:#}"))
}
