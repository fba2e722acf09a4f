//! From the same weights and batches, three optimizer steps give what nnunetv2 2.8.1 gave (torch 2.11.0, CPU) in double
//! precision: plain and residual networks, slices and volumes, regions, ignored voxels, a cascade.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_architectures::ParameterStore;
use nnunet_losses as _;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::vocabulary::Plans;
use nnunet_plugin_api::{
    Architecture, Config, Factory, Loss, NetworkSpec, Registration, TensorFactories, Trainer, TrainerContext,
    inventory,
};
use nnunet_test_support::golden;
use nnunet_training::{
    Batch, Cases, Engine, History, MeasuredMetrics, Schedules, SecondNetworks, SharedSampler, clip_gradients,
    optimizer,
};
use serde_json::{Value, json};

/// Relative, for losses and norms; v2 adds the terms of the Dice in single precision.
const TOLERANCE: f64 = 1e-6;
/// Absolute, for weights.
const WEIGHT_TOLERANCE: f64 = 1e-6;

struct Root;

impl Trainer for Root {
    fn extends(&self) -> String {
        String::new()
    }
}

fn factory(name: &str) -> Factory {
    let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
    found.unwrap_or_else(|| panic!("no component {name}")).factory
}

fn config(value: &Value) -> Config {
    value.as_object().unwrap().clone()
}

fn usizes(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

fn spec(facts: &Value) -> NetworkSpec {
    let kwargs = &facts["arch_kwargs"];
    let lists = |key: &str| kwargs[key].as_array().unwrap().iter().map(usizes).collect::<Vec<_>>();
    NetworkSpec {
        num_input_channels: facts["input_channels"].as_u64().unwrap() as usize,
        num_classes: facts["outputs"].as_u64().unwrap() as usize,
        base_num_features: 4,
        conv_per_stage: 1,
        patch_size: usizes(&facts["patch"]),
        pool_op_kernel_sizes: lists("strides").into_iter().skip(1).collect(),
        conv_kernel_sizes: lists("kernel_sizes"),
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    }
}

fn loss(facts: &Value) -> Box<dyn Loss> {
    let batch_dice = &facts["batch_dice"];
    let (name, parameters) = if facts["regions"] == true {
        let ignores = !facts["ignore"].is_null();
        ("DC_and_BCE_loss", json!({"smooth": 1e-5, "batch_dice": batch_dice, "use_ignore_label": ignores}))
    } else {
        ("DC_and_CE_loss", json!({"batch_dice": batch_dice, "ignore_label": facts["ignore"]}))
    };
    factory(name).loss().unwrap()(&config(&parameters)).unwrap()
}

fn engine(facts: &Value, all: &[(String, Tensor)]) -> Engine {
    let architecture: Box<dyn Architecture> =
        factory(facts["network"].as_str().unwrap()).architecture().unwrap()(&config(&facts["arch_kwargs"]))
            .unwrap();
    let mut store = ParameterStore::new(Device::Cpu);
    let network = architecture.build(&mut store, &spec(facts)).unwrap();
    for (name, tensor) in all.iter().filter_map(|(name, t)| Some((name.strip_prefix("init.")?, t))) {
        let shape: Vec<usize> = tensor.size().iter().map(|len| *len as usize).collect();
        store.set(name, &shape, &Vec::<f32>::try_from(tensor.reshape([-1])).unwrap()).unwrap();
    }
    for parameter in store.parameters() {
        parameter.tensor.shallow_clone().set_data(&parameter.tensor.to_kind(Kind::Double));
    }
    let context = TrainerContext { configuration: String::new(), plans: Plans::default(), stage: 0 };
    let trainer = nnunet_trainers::resolve("root", &context, &|_| Ok(Box::new(Root))).unwrap();
    Engine {
        optimizer: optimizer(&trainer.blueprint, &store).unwrap(),
        schedules: Schedules::built_in(&trainer.blueprint).unwrap(),
        loss: loss(facts),
        head: None,
        metrics: MeasuredMetrics::default(),
        kind: Kind::Double,
        scaler: None,
        num_classes: facts["outputs"].as_u64().unwrap() as usize,
        ignore_label: None,
        trainer,
        store,
        network,
        cases: Cases::default(),
        sampler: SharedSampler::named("v1").unwrap(),
        networks: SecondNetworks::default(),
        epoch: 0,
        history: History::default(),
    }
}

fn batch(all: &[(String, Tensor)], step: usize, regions: bool) -> Batch {
    let get = |name: &str| all.iter().find(|(other, _)| other == name).map(|(_, t)| t.shallow_clone());
    let kind = if regions { Kind::Float } else { Kind::Int64 };
    let targets = (0..).map_while(|level| get(&format!("target_{step}_{level}")));
    Batch {
        data: get(&format!("data_{step}")).unwrap(),
        targets: targets.map(|target| target.to_kind(kind)).collect(),
        cases: Vec::new(),
    }
}

fn assert_close(what: &str, ours: f64, wanted: &Value) {
    let wanted = wanted.as_f64().unwrap();
    let error = (ours - wanted).abs() / wanted.abs();
    assert!(error <= TOLERANCE, "{what} is {ours} instead of {wanted}, a relative difference of {error:.1e}");
}

fn facts(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

fn check(name: &str) {
    let folder = golden("train_step_v2");
    let facts = facts(&folder, name);
    let all = Tensor::read_safetensors(folder.join(format!("{name}.safetensors"))).unwrap();
    let mut engine = engine(&facts, &all);
    let names: Vec<&str> = engine.store.parameters().iter().map(|p| p.name.as_str()).collect();
    let order: Vec<&str> = facts["order"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(names, order, "{name}: order of the parameters");
    let losses = facts["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 3);
    for (step, wanted) in losses.iter().enumerate() {
        let batch = batch(&all, step, facts["regions"] == true);
        let loss = engine.train_step(&batch, facts["lr"].as_f64().unwrap()).unwrap();
        assert_close(&format!("{name}, step {step}: loss"), loss, wanted);
        let norm = clip_gradients(&engine.store, None).unwrap();
        assert_close(&format!("{name}, step {step}: norm"), norm, &facts["clipped_norms"][step]);
    }
    let stride = facts["stride"].as_i64().unwrap();
    for (key, wanted) in all.iter().filter_map(|(name, t)| Some((name.strip_prefix("final.")?, t))) {
        let ours = engine.store.get(key).unwrap().detach().reshape([-1]).slice(0, None, None, stride);
        let error = f64::try_from((ours - wanted).abs().max()).unwrap();
        assert!(error <= WEIGHT_TOLERANCE, "{name}: {key} differs by {error:.1e} after the last step");
    }
}

macro_rules! steps {
    ($($test:ident $name:literal)*) => {
        $(#[test]
        fn $test() {
            check($name);
        })*
    };
}

steps! {
    plain_networks_of_slices "plain_2d"
    plain_networks_of_volumes "plain_3d"
    residual_networks_of_slices "residual_2d"
    residual_networks_of_volumes "residual_3d"
    regions "regions"
    ignored_voxels "ignore"
    regions_with_ignored_voxels "regions_ignore"
    second_stage_of_a_cascade "cascade"
}
