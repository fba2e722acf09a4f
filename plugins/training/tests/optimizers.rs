//! Steps and state of v1's optimizers. The numbers come from `fixtures/make_optimizers.py`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_architectures::ParameterStore;
use nnunet_formats::json::{self, Json};
use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::vocabulary::{Blueprint, LearningRateSchedule, Optimizer};
use nnunet_plugin_api::{EpochResults, Init, SchedulePoint, VarFactory, serde_json};
use nnunet_training::{Optimize, StateValue, optimizer};

const SIZES: [i64; 2] = [5, 3];
/// Relative to the largest value, or to 1. torch differs from itself by 6e-8 on other processors
/// (`fixtures/make_optimizers.py`); 20 steps of the fused operators round in another order.
const TOLERANCE: f64 = 2e-6;

fn fixture(key: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/optimizers.json");
    json::load(&path).unwrap().get(key).unwrap().clone()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.items().map_or_else(|| vec![json.as_f64().unwrap()], |all| all.iter().flat_map(numbers).collect())
}

fn range(count: i64) -> Tensor {
    Tensor::arange(count, (Kind::Float, Device::Cpu))
}

fn start() -> ParameterStore {
    let mut store = ParameterStore::new(Device::Cpu);
    for (p, size) in SIZES.iter().enumerate() {
        let mut made = store.parameter(&format!("p{p}"), &[*size], Init::Constant { value: 0.0 }).unwrap();
        no_grad(|| made.copy_(&(range(*size) + p as f64).sin()));
    }
    store
}

/// Makes the wanted vectors the gradients: the sum of the products has them.
fn give_gradients(store: &ParameterStore, step: usize) {
    for (p, parameter) in store.trainable().enumerate() {
        let mut past = parameter.tensor.grad();
        if past.defined() {
            let _ = past.zero_();
        }
        let wanted = (range(SIZES[p]) * 0.5 + (p as f64 + 0.3 * step as f64)).cos();
        (&parameter.tensor * wanted).sum(Kind::Float).backward();
    }
}

fn steps(store: &ParameterStore, optimizer: &mut dyn Optimize, steps: std::ops::Range<usize>) {
    for step in steps {
        give_gradients(store, step);
        optimizer.step(store, if step < 10 { 0.01 } else { 0.005 }).unwrap();
    }
}

fn assert_close(label: &str, ours: &Tensor, wanted: &Json) {
    let wanted = Tensor::from_slice(&numbers(wanted)).reshape(ours.size());
    let error = f64::try_from((ours.detach().to_kind(Kind::Double) - &wanted).abs().max()).unwrap();
    let size = f64::try_from(wanted.abs().max()).unwrap().max(1.0);
    assert!(error <= TOLERANCE * size, "{label} differs by {error}");
}

fn check(name: &str) {
    let choice: Optimizer = serde_json::from_value(serde_json::json!({ "name": name })).unwrap();
    let blueprint = Blueprint { optimizer: choice, ..Blueprint::default() };
    let expected = fixture(name);
    let store = start();
    let mut first = optimizer(&blueprint, &store).unwrap();
    steps(&store, &mut *first, 0..13);
    // A second one goes on where the first one stopped.
    let mut second = optimizer(&blueprint, &store).unwrap();
    for index in 0..SIZES.len() {
        second.restore(index, first.state(index)).unwrap();
    }
    steps(&store, &mut *second, 13..20);
    for (p, parameter) in store.trainable().enumerate() {
        let wanted = &expected.get("parameters").unwrap().items().unwrap()[p];
        assert_close(&format!("{name}: parameter {p}"), &parameter.tensor, wanted);
        let Json::Object(wanted) = &expected.get("state").unwrap().items().unwrap()[p] else {
            panic!("state")
        };
        let state = second.state(p);
        let names: Vec<&String> = state.iter().map(|(name, _)| name).collect();
        assert_eq!(names, wanted.iter().map(|(name, _)| name).collect::<Vec<_>>(), "{name}");
        for ((key, ours), (_, wanted)) in state.iter().zip(wanted) {
            match ours {
                StateValue::Tensor(ours) => assert_close(&format!("{name}: {key}"), ours, wanted),
                StateValue::Count(ours) => assert_eq!(Some(*ours as f64), wanted.as_f64(), "{name}: {key}"),
            }
        }
    }
    let group: Vec<String> = expected.get("group").unwrap().items().unwrap().iter().map(text).collect();
    let ours: Vec<&str> = second.settings().iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, group[1..group.len() - 1], "{name}: param_groups");
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

#[test]
fn gradient_descent_is_that_of_torch() {
    check("SGD");
}

#[test]
fn adam_is_that_of_torch() {
    check("Adam");
}

#[test]
fn ranger_is_that_of_v1() {
    check("Ranger");
}

/// All parameters after some steps, of which one in the middle has gradients that are not finite and is skipped.
fn after_steps(name: &str, skips: bool) -> Vec<f64> {
    let choice: Optimizer = serde_json::from_value(serde_json::json!({ "name": name })).unwrap();
    let blueprint = Blueprint { optimizer: choice, weight_decay: 0.01, ..Blueprint::default() };
    let store = start();
    let mut optimizer = optimizer(&blueprint, &store).unwrap();
    // The eighth step of Ranger is the first one whose second moment it trusts, the sixth one pulls weights back.
    for (step, skipped) in [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12]
        .into_iter()
        .zip([false; 5].into_iter().chain([true]).chain([false; 8]))
    {
        if skipped && !skips {
            continue;
        }
        give_gradients(&store, step);
        if skipped {
            for parameter in store.trainable() {
                let _ = no_grad(|| parameter.tensor.grad().fill_(f64::NAN));
            }
        }
        let skip = Tensor::from(if skipped { 1.0_f32 } else { 0.0 });
        optimizer.step_unless(&store, 0.01, Some(&skip)).unwrap();
    }
    store
        .trainable()
        .flat_map(|parameter| Vec::<f64>::try_from(parameter.tensor.detach().to_kind(Kind::Double)).unwrap())
        .collect()
}

#[test]
fn a_step_that_the_device_skips_changes_nothing() {
    for name in ["SGD", "Adam", "Ranger"] {
        let values = after_steps(name, true);
        assert!(values.iter().all(|value| value.is_finite()), "{name}: {values:?}");
        assert_eq!(values, after_steps(name, false), "{name}");
    }
}

#[test]
fn the_plateau_schedule_is_that_of_torch() {
    let expected = fixture("plateau");
    let list = |key: &str| numbers(expected.get(key).unwrap());
    let choice =
        LearningRateSchedule::Plateau { factor: 0.2, patience: 3, threshold: 1e-3 }.choice().unwrap();
    let mut plateau = nnunet_schedules::built_in(&choice).unwrap();
    let at = SchedulePoint { initial_lr: 3e-4, ..SchedulePoint::default() };
    for (loss, rate) in list("losses").into_iter().zip(list("rates")) {
        plateau
            .epoch_ends(&at, &EpochResults { train_loss_average: loss, ..EpochResults::default() })
            .unwrap();
        let found = plateau.learning_rate(&at).unwrap();
        assert!((found - rate).abs() < 1e-12, "{found} instead of {rate}");
    }
    let state = expected.get("state").unwrap();
    let kept = plateau.save_state().unwrap();
    for key in ["best", "num_bad_epochs", "last_epoch"] {
        assert_eq!(kept[key].as_f64().unwrap(), state.get(key).unwrap().as_f64().unwrap(), "{key}");
    }
}
