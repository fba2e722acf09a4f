//! From the same weights and batches, three optimiser steps give what nnunet 1.7.1 (torch 2.1.2, CPU, fp32) gave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_formats::json::{self, Json};
use nnunet_losses::{DiceCe, DiceCeConfig};
use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::vocabulary::Plans;
use nnunet_plugin_api::{Architecture, NetworkSpec, Trainer, TrainerContext};
use nnunet_test_support::reference;
use nnunet_training::{Batch, Engine, History, clip_gradients, optimizer};

/// Relative difference of a loss and of the norm of all gradients, absolute difference of a weight.
const TOLERANCE: f64 = 1e-4;
/// Absolute difference of a weight after clipped gradients, 30 times larger: rounding turns the sign of some activations.
const CLIPPED_WEIGHT: f64 = 1.1e-4;

struct Root;

impl Trainer for Root {
    fn extends(&self) -> String {
        String::new()
    }
}

fn numbers(json: &Json) -> Vec<usize> {
    json.items().unwrap().iter().map(|n| n.as_f64().unwrap() as usize).collect()
}

fn tensors(path: &Path) -> Vec<(String, Tensor)> {
    Tensor::read_safetensors(path).unwrap()
}

fn engine(config: &Json, batch_dice: bool, init: &Path) -> Engine {
    let get = |key: &str| config.get(key).unwrap();
    let number = |key: &str| get(key).as_f64().unwrap() as usize;
    let kernels = |key: &str| get(key).items().unwrap().iter().map(numbers).collect();
    let spec = NetworkSpec {
        num_input_channels: number("in_channels"),
        num_classes: number("num_classes"),
        base_num_features: number("base"),
        conv_per_stage: number("conv_per_stage"),
        patch_size: numbers(get("patch")),
        pool_op_kernel_sizes: kernels("pool"),
        conv_kernel_sizes: kernels("conv"),
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    let mut store = ParameterStore::new(Device::Cpu);
    let network = GenericUnet::default().build(&mut store, &spec).unwrap();
    for (name, tensor) in tensors(init) {
        let shape: Vec<usize> = tensor.size().iter().map(|len| *len as usize).collect();
        let values = Vec::<f32>::try_from(tensor.reshape([-1])).unwrap();
        store.set(&name, &shape, &values).unwrap();
    }
    let context = TrainerContext { configuration: String::new(), plans: Plans::default(), stage: 0 };
    let trainer = nnunet_trainers::resolve("root", &context, &|_| Ok(Box::new(Root))).unwrap();
    Engine {
        optimizer: optimizer(&trainer.blueprint, &store),
        loss: Box::new(DiceCe::new(DiceCeConfig { batch_dice, ..Default::default() })),
        kind: Kind::Float,
        scaler: None,
        num_classes: spec.num_classes,
        trainer,
        store,
        network,
        epoch: 0,
        history: History::default(),
    }
}

fn batch(all: &[(String, Tensor)], step: usize, outputs: usize) -> Batch {
    let get = |name: String| all.iter().find(|(other, _)| *other == name).unwrap().1.shallow_clone();
    let target = |level: usize| get(format!("target_{step}_{level}")).to_kind(Kind::Int64);
    Batch {
        data: get(format!("data_{step}")),
        targets: (0..outputs).map(target).collect(),
        cases: Vec::new(),
    }
}

/// `name` is the run, `base` the set of initial weights and `batches` the set of batches it used.
fn check(name: &str, base: &str, batches: &str, tolerance: f64) {
    let Some(folder) = reference("train_step", &format!("train_step::{name}")) else { return };
    let expected = json::load(&folder.join(format!("{name}.json"))).unwrap();
    let config = expected.get("config").unwrap();
    let batch_dice = expected.get("batch_dice") == Some(&Json::Bool(true));
    let mut engine = engine(config, batch_dice, &folder.join(format!("{base}_init.safetensors")));
    let keys = expected.get("parameter_order_in_optimizer").unwrap().items().unwrap();
    let names: Vec<&str> = engine.store.parameters().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        keys.iter().filter_map(Json::as_str).collect::<Vec<_>>(),
        "{name}: order of the parameters"
    );
    let batches = tensors(&folder.join(format!("{batches}_batches.safetensors")));
    take_steps(name, &mut engine, &expected, &batches);
    for (key, wanted) in tensors(&folder.join(format!("{name}_final.safetensors"))) {
        let ours = engine.store.get(&key).unwrap();
        let error = f64::try_from((ours.detach() - wanted).abs().max()).unwrap();
        assert!(error <= tolerance, "{name}: {key} differs by {error} after three steps");
    }
}

fn assert_close(what: &str, ours: f64, wanted: f64) {
    assert!((ours - wanted).abs() <= TOLERANCE * wanted.abs(), "{what} is {ours} instead of {wanted}");
}

/// The steps of a reference, with its losses and norms of gradients.
fn take_steps(name: &str, engine: &mut Engine, expected: &Json, batches: &[(String, Tensor)]) {
    let outputs = batches.iter().filter(|(name, _)| name.starts_with("target_0_")).count();
    for (step, reference) in expected.get("steps").unwrap().items().unwrap().iter().enumerate() {
        let number = |key: &str| reference.get(key).unwrap().as_f64().unwrap();
        let loss = engine.train_step(&batch(batches, step, outputs), number("lr")).unwrap();
        assert_close(&format!("{name}, step {step}: loss"), loss, number("loss"));
        // The gradients are still there, clipped.
        let largest = engine.trainer.blueprint.gradient_clipping.unwrap_or(f64::INFINITY);
        let norm = clip_gradients(&engine.store, None).unwrap();
        let wanted = number("grad_norm_before_clip").min(largest);
        assert_close(&format!("{name}, step {step}: norm of the gradients"), norm, wanted);
    }
}

#[test]
fn volumes_with_batch_dice() {
    check("unet3d_batchdice_true", "unet3d_batchdice_true", "unet3d_batchdice_true", TOLERANCE);
}

#[test]
fn volumes_without_batch_dice() {
    check("unet3d_batchdice_false", "unet3d_batchdice_true", "unet3d_batchdice_true", TOLERANCE);
}

#[test]
fn slices_with_batch_dice() {
    check("unet2d_batchdice_true", "unet2d_batchdice_true", "unet2d_batchdice_true", TOLERANCE);
}

#[test]
fn slices_without_batch_dice() {
    check("unet2d_batchdice_false", "unet2d_batchdice_true", "unet2d_batchdice_true", TOLERANCE);
}

#[test]
fn clipped_gradients() {
    check("unet2d_clip_active", "unet2d_clip_active", "unet2d_batchdice_true", CLIPPED_WEIGHT);
}

/// The norm before clipping too, which the engine keeps to itself.
#[test]
fn clipped_gradients_of_volumes() {
    let Some(folder) = reference("train_step", "train_step::clipped_gradients_of_volumes") else { return };
    let expected = json::parse(include_str!("fixtures/clipped.json")).unwrap();
    let number = |key: &str| expected.get(key).unwrap().as_f64().unwrap();
    let base = folder.join("unet3d_batchdice_true");
    let config = json::load(&base.with_extension("json")).unwrap();
    let init = folder.join("unet3d_batchdice_true_init.safetensors");
    let batches = tensors(&folder.join("unet3d_batchdice_true_batches.safetensors"));
    let engine = || {
        let engine = engine(config.get("config").unwrap(), true, &init);
        for output in engine.store.parameters().iter().filter(|p| p.name.starts_with("seg_outputs")) {
            let _ = no_grad(|| output.tensor.shallow_clone().g_mul_scalar_(number("outputs_times")));
        }
        engine
    };
    let steps = |steps: &[Json]| Json::Object(vec![("steps".to_owned(), Json::Array(steps.to_vec()))]);
    let all = expected.get("steps").unwrap().items().unwrap();
    let mut unclipped = engine();
    unclipped.trainer.blueprint.gradient_clipping = None;
    take_steps("unclipped volumes", &mut unclipped, &steps(&all[..1]), &batches);
    let mut engine = engine();
    take_steps("clipped volumes", &mut engine, &steps(all), &batches);
    let Some(Json::Object(parameters)) = expected.get("parameters") else { panic!("no parameters") };
    for (key, wanted) in parameters {
        let ours = engine.store.get(key).unwrap().detach().reshape([-1]);
        let ours = Vec::<f32>::try_from(ours).unwrap().into_iter().step_by(number("stride") as usize);
        for (ours, wanted) in ours.zip(wanted.items().unwrap()) {
            let error = (f64::from(ours) - wanted.as_f64().unwrap()).abs();
            assert!(error <= CLIPPED_WEIGHT, "{key} differs by {error} after three steps");
        }
    }
}
