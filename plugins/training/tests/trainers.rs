//! Every trainer of v1 and v2 builds its network and takes a step, for slices and volumes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::HashSet;

use nnunet_architectures::{self as _, ParameterStore};
use nnunet_augmentation as _;
use nnunet_losses as _;
use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor, manual_seed};
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{
    Architecture, Augmentation, AugmentationContext, Component, Error, Factory, Kind, Loss, NetworkSpec,
    Registration, Result, TensorFactories, Trainer, TrainerContext, inventory,
};
use nnunet_training::{
    Batch, BatchPlan, Cases, DummyCase, Engine, History, MeasuredMetrics, OnlineEvaluation, Schedules,
    SecondNetworks, SharedSampler, optimizer,
};

/// Labels of the task, without background.
const LABELS: usize = 3;

fn component(kind: Kind, name: &str) -> Result<Component> {
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    let found = all.into_iter().find(|c| c.info.kind == kind && c.info.name == name);
    found.ok_or_else(|| Error::message(format!("no {kind} {name}")))
}

fn trainer(name: &str) -> Result<Box<dyn Trainer>> {
    match component(Kind::Trainer, name)?.factory.trainer() {
        Some(make) => make(&Default::default()),
        None => Err(Error::message(format!("{name} is not a trainer"))),
    }
}

/// Where v2's trainers leave the network to the plans: its plain one, of which some exchange the norm.
fn planned(choice: &ComponentChoice) -> ComponentChoice {
    if choice.name != nnunet_trainers::PLANNED_NETWORK {
        return choice.clone();
    }
    let mut plain = ComponentChoice::named("PlainConvUNet");
    if choice.parameters.contains_key("norm_op") {
        plain.parameters.insert("norm".to_owned(), "batch".into());
    }
    plain
}

fn architecture(choice: &ComponentChoice) -> Result<Box<dyn Architecture>> {
    let choice = &planned(choice);
    match component(Kind::Architecture, &choice.name)?.factory.architecture() {
        Some(make) => make(&choice.parameters),
        None => Err(Error::message(format!("{} is not an architecture", choice.name))),
    }
}

fn loss(choice: &ComponentChoice) -> Result<Box<dyn Loss>> {
    match component(Kind::Loss, &choice.name)?.factory.loss() {
        Some(make) => make(&choice.parameters),
        None => Err(Error::message(format!("{} is not a loss", choice.name))),
    }
}

fn augmentation(choice: &ComponentChoice) -> Result<Box<dyn Augmentation>> {
    match component(Kind::Augmentation, &choice.name)?.factory {
        Factory::Augmentation(make) => make(&choice.parameters),
        _ => Err(Error::message(format!("{} is not an augmentation", choice.name))),
    }
}

fn spec(axes: usize, outputs: usize) -> NetworkSpec {
    NetworkSpec {
        num_input_channels: 1,
        num_classes: outputs,
        base_num_features: 8,
        conv_per_stage: 2,
        patch_size: vec![8; axes],
        pool_op_kernel_sizes: vec![vec![2; axes]; 2],
        conv_kernel_sizes: vec![vec![3; axes]; 3],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    }
}

fn engine(name: &str, axes: usize) -> Result<Engine> {
    let configuration = if axes == 2 { "2d" } else { "3d_fullres" }.to_owned();
    let context = TrainerContext { configuration, ..Default::default() };
    let trainer = nnunet_trainers::resolve(name, &context, &trainer)?;
    let outputs = trainer.blueprint.regions.as_ref().map_or(LABELS + 1, |regions| regions.regions.len());
    let mut store = ParameterStore::new(Device::Cpu);
    let network = architecture(&trainer.blueprint.architecture)?.build(&mut store, &spec(axes, outputs))?;
    Ok(Engine {
        optimizer: optimizer(&trainer.blueprint, &store)?,
        schedules: Schedules::built_in(&trainer.blueprint)?,
        loss: loss(&trainer.blueprint.loss)?,
        head: None,
        metrics: MeasuredMetrics::default(),
        kind: Element::Float,
        scaler: None,
        num_classes: outputs,
        ignore_label: None,
        trainer,
        store,
        network,
        cases: Cases::default(),
        sampler: SharedSampler::named("v1").unwrap(),
        networks: SecondNetworks::default(),
        epoch: 0,
        history: History::default(),
    })
}

/// Every label in every sample and on every level.
fn batch(engine: &Engine, axes: usize) -> Batch {
    let level = |side: i64| {
        let mut size = vec![2, 1];
        size.extend(vec![side; axes]);
        let labels = Tensor::arange(size.iter().product::<i64>(), (Element::Int64, Device::Cpu));
        let labels = labels.remainder(LABELS as i64 + 1).reshape(&size);
        if engine.trainer.blueprint.regions.is_none() {
            return labels;
        }
        let masks = [1, 2, 3].map(|from| labels.ge(from));
        Tensor::cat(&masks, 1).to_kind(Element::Float)
    };
    let mut size = vec![2, 1];
    size.extend(vec![8; axes]);
    Batch {
        data: Tensor::randn(&size, (Element::Float, Device::Cpu)),
        targets: vec![level(8), level(4)],
        cases: Vec::new(),
    }
}

/// A batch of random images as v2's trainers make theirs.
fn augmented(engine: &Engine, axes: usize) -> Result<Batch> {
    let blueprint = &engine.trainer.blueprint;
    let patch = vec![8; axes];
    let plan = BatchPlan {
        batch_size: blueprint.batch_size.unwrap_or(2),
        oversample_foreground: blueprint.oversample_foreground_percent,
        sampler: SharedSampler::named(if blueprint.probabilistic_oversampling {
            "v2Probabilistic"
        } else {
            "v2"
        })?,
        augmentation: Some(augmentation(&blueprint.augmentation)?.into()),
        context: AugmentationContext {
            patch: patch.clone(),
            dummy_2d: false,
            use_mask: vec![false],
            mirror_axes: blueprint.mirror_axes.clone(),
            num_labels: LABELS,
        },
        scales: vec![vec![1.0; axes], vec![0.5; axes]],
        regions: None,
        head: None,
        seed: 5,
    };
    plan.make(&DummyCase::new(1, LABELS, &patch, 5), 0, 0)
}

fn step(name: &str, axes: usize) -> Result<()> {
    let engine = engine(name, axes)?;
    let batch = batch(&engine, axes);
    steps(engine, &batch, 1)
}

fn steps(mut engine: Engine, batch: &Batch, count: usize) -> Result<()> {
    engine.network.set_training(true)?;
    engine.loss.epoch_begins(0)?;
    let learning_rate = engine.learning_rate()?;
    for _ in 0..count {
        engine.train_step(batch, learning_rate)?;
    }
    engine.network.set_training(false)?;
    let outputs = engine.network.forward(&batch.data, false)?;
    let mut evaluation =
        OnlineEvaluation::new(engine.num_classes, engine.trainer.blueprint.regions.is_some());
    evaluation.add(&outputs[0], &batch.targets[0])
}

/// Trainers that agree in these need not all be tried.
fn what_a_step_needs(name: &str) -> String {
    let context = TrainerContext::default();
    let blueprint = nnunet_trainers::resolve(name, &context, &trainer).unwrap().blueprint;
    format!(
        "{:?}",
        (
            blueprint.architecture,
            blueprint.loss,
            blueprint.optimizer,
            blueprint.deep_supervision,
            blueprint.regions
        )
    )
}

#[test]
fn every_trainer_takes_a_step() {
    manual_seed(5);
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)().info);
    let names: Vec<String> = all
        .filter(|info| info.kind == Kind::Trainer && !info.summary.starts_with("Not available"))
        // Copies differ in nothing but the name.
        .filter(|info| !info.name.contains("_copy"))
        .map(|info| info.name.into_owned())
        .collect();
    assert!(names.len() > 95);
    let mut done = HashSet::new();
    for name in &names {
        for axes in [2, 3] {
            if !done.insert((what_a_step_needs(name), axes)) {
                continue;
            }
            let result = step(name, axes);
            if name == "nnUNetTrainerV2_FRN" && axes == 2 {
                assert!(result.is_err_and(|error| error.to_string().contains("3D")));
                continue;
            }
            result.unwrap_or_else(|error| panic!("{name}, {axes} axes: {error}"));
        }
    }
}

/// The classes of v2 by their own names, each with its own augmentation and batch size. Their steps in 3D are among those above.
#[test]
fn every_class_of_v2_trains_on_a_batch() {
    manual_seed(5);
    let list = include_str!("../../trainers/tests/fixtures/classes_v2.txt");
    let names: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(names.len(), 58, "nnUNetTrainer and its 57 children");
    for name in names {
        let changed =
            engine(nnunet_trainers::registered_in_v2(name), 2).and_then(|engine| changes(engine, 2));
        assert!(
            changed.unwrap_or_else(|error| panic!("{name}: {error}")),
            "{name}: the steps change nothing"
        );
    }
}

/// Whether two steps on an augmented batch change weights: the first of Adan changes none.
fn changes(engine: Engine, axes: usize) -> Result<bool> {
    let batch = augmented(&engine, axes)?;
    let parameters = engine.store.parameters();
    let before: Vec<Tensor> = parameters.iter().map(|parameter| parameter.tensor.copy()).collect();
    let after: Vec<Tensor> = parameters.iter().map(|parameter| parameter.tensor.shallow_clone()).collect();
    steps(engine, &batch, 2)?;
    Ok(before.iter().zip(&after).any(|(before, after)| before != after))
}
