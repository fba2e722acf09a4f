//! Steps and state of v2's optimizers and of others. The numbers come from `fixtures/make_optimizers_v2.py`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_architectures::ParameterStore;
use nnunet_formats::json::{self, Json};
use nnunet_plugin_api::abi::v1::through_adapters;
use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor, no_grad};
use nnunet_plugin_api::vocabulary::{Blueprint, Optimizer as Choice};
use nnunet_plugin_api::{
    Component, Config, Init, Kind, Optimized, Registration, TensorFactories, VarFactory, inventory,
    serde_json,
};
use nnunet_training::{FromComponent, Optimize, StateValue, optimizer};
use serde_json::{Value, json};

const SHAPES: [&[i64]; 2] = [&[3, 4], &[3]];
const DECAY: f64 = 3e-5;

fn numbers(json: &Json) -> Vec<f64> {
    json.items().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn count(shape: &[i64]) -> Tensor {
    Tensor::arange(shape.iter().product::<i64>(), (Element::Float, Device::Cpu)).reshape(shape)
}

fn start(parameters: usize) -> ParameterStore {
    let mut store = ParameterStore::new(Device::Cpu);
    for (p, shape) in SHAPES[..parameters].iter().enumerate() {
        let mut made = store.parameter(&format!("p{p}"), shape, Init::Constant { value: 0.0 }).unwrap();
        no_grad(|| made.copy_(&(count(shape) + p as f64).sin()));
    }
    store
}

fn steps(store: &ParameterStore, optimizer: &mut dyn Optimize, steps: std::ops::Range<usize>) {
    for step in steps {
        for (p, parameter) in store.trainable().enumerate() {
            let mut past = parameter.tensor.grad();
            if past.defined() {
                let _ = past.zero_();
            }
            let wanted = (count(SHAPES[p]) * 0.5 + (p as f64 + 0.3 * step as f64)).cos();
            (&parameter.tensor * wanted).sum(Element::Float).backward();
        }
        optimizer.step(store, if step < 10 { 0.01 } else { 0.005 }).unwrap();
    }
}

/// A component of this name, behind both adapters.
fn component(table: &Config, parameters: usize) -> FromComponent {
    let mut config = table.clone();
    let name = config.remove("name").unwrap();
    config.insert("weight_decay".to_owned(), json!(DECAY));
    let crossed = through_adapters(registered(name.as_str().unwrap()), "p");
    FromComponent::new(crossed.factory.optimizer().unwrap()(&config).unwrap(), parameters)
}

type Make<'a> = dyn Fn(&ParameterStore) -> Box<dyn Optimize> + 'a;

fn expected(reference: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/optimizers_v2.json");
    json::load(&path).unwrap().get(reference).unwrap().clone()
}

fn registered(name: &str) -> Component {
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    all.into_iter().find(|c| c.info.kind == Kind::Optimizer && name == c.info.name).unwrap()
}

fn check(reference: &str, table: Value, tolerance: f64) {
    let expected = expected(reference);
    let parameters = expected.get("parameters").unwrap().items().unwrap();
    let Value::Object(table) = table else { panic!("a table") };
    let choice: Choice = serde_json::from_value(Value::Object(table.clone())).unwrap();
    let mut with_decay = table.clone();
    if let Choice::Other(_) = &choice {
        with_decay.insert("weight_decay".to_owned(), json!(DECAY));
    }
    let choice: Choice = serde_json::from_value(Value::Object(with_decay)).unwrap();
    let blueprint = Blueprint { optimizer: choice, weight_decay: DECAY, ..Blueprint::default() };
    let named = |store: &ParameterStore| optimizer(&blueprint, store).unwrap();
    let crossed = |_: &ParameterStore| -> Box<dyn Optimize> { Box::new(component(&table, parameters.len())) };
    let makers: [&Make<'_>; 2] = [&named, &crossed];
    for make in makers {
        let store = start(parameters.len());
        let mut first = make(&store);
        steps(&store, &mut *first, 0..13);
        // A second one goes on where the first one stopped.
        let mut second = make(&store);
        for index in 0..parameters.len() {
            second.restore(index, first.state(index)).unwrap();
        }
        steps(&store, &mut *second, 13..20);
        for (p, parameter) in store.trainable().enumerate() {
            close(&format!("{reference}: parameter {p}"), &parameter.tensor, &parameters[p], tolerance);
            let Json::Object(wanted) = &expected.get("state").unwrap().items().unwrap()[p] else {
                panic!("state")
            };
            let state = second.state(p);
            let names: Vec<&String> = state.iter().map(|(name, _)| name).collect();
            let mut wanted_names: Vec<&String> = wanted.iter().map(|(name, _)| name).collect();
            wanted_names.sort_by_key(|name| names.iter().position(|other| other == name));
            assert_eq!(names, wanted_names, "{reference}");
            for (key, ours) in &state {
                let StateValue::Tensor(ours) = ours else { panic!("a tensor") };
                let wanted = &wanted.iter().find(|(name, _)| name == key).unwrap().1;
                close(&format!("{reference}: {key}"), ours, wanted, tolerance);
            }
        }
    }
}

fn close(label: &str, ours: &Tensor, wanted: &Json, tolerance: f64) {
    let wanted = Tensor::from_slice(&numbers(wanted)).reshape(ours.size());
    let error = f64::try_from((ours.detach().to_kind(Element::Double) - &wanted).abs().max()).unwrap();
    let size = f64::try_from(wanted.abs().max()).unwrap().max(1.0);
    assert!(error <= tolerance * size, "{label} differs by {error}");
}

#[test]
fn adam_with_decoupled_decay_is_that_of_torch() {
    check("AdamW", json!({ "name": "AdamW" }), 2e-6);
    check("AdamW_amsgrad", json!({ "name": "AdamW", "amsgrad": true }), 2e-6);
}

#[test]
fn adan_is_that_of_its_package() {
    check("Adan", json!({ "name": "Adan" }), 5e-6);
}

/// Matrices have 16 bits, which processors round in another order: each step may be off by some of the last bits. The
/// test below compares all digits.
#[test]
fn muon_is_that_of_torch_up_to_16_bits() {
    check("Muon", json!({ "name": "Muon" }), 1e-2);
}

/// Wide and tall matrices in double precision, against torch's class with its 16 bits taken out.
#[test]
fn muon_in_double_precision_is_that_of_torch() {
    let expected = expected("Muon_double");
    let config = Config::from_iter([("weight_decay".to_owned(), json!(DECAY))]);
    let mut muon = registered("Muon").factory.optimizer().unwrap()(&config).unwrap();
    let shapes: [&[i64]; 2] = [&[3, 4], &[4, 3]];
    let count = |shape: &[i64]| Tensor::arange(12, (Element::Double, Device::Cpu)).reshape(shape);
    let start = |(p, shape): (usize, &&[i64])| {
        let tensor = (count(shape) + p as f64).sin();
        let state = muon.initial_state(&tensor).unwrap().into_iter().map(|(_, tensor)| tensor).collect();
        Optimized { name: format!("p{p}"), gradient: tensor.zeros_like(), tensor, state }
    };
    let mut parameters: Vec<Optimized> = shapes.iter().enumerate().map(start).collect();
    for step in 0..20 {
        for (p, (parameter, shape)) in parameters.iter_mut().zip(shapes).enumerate() {
            parameter.gradient = (count(shape) * 0.5 + (p as f64 + 0.3 * f64::from(step))).cos();
        }
        no_grad(|| muon.step(&mut parameters, if step < 10 { 0.01 } else { 0.005 })).unwrap();
    }
    for (p, parameter) in parameters.iter().enumerate() {
        let wanted = &expected.get("parameters").unwrap().items().unwrap()[p];
        close(&format!("parameter {p}"), &parameter.tensor, wanted, 1e-10);
        let state = &expected.get("state").unwrap().items().unwrap()[p];
        close(&format!("momentum {p}"), &parameter.state[0], state.get("momentum_buffer").unwrap(), 1e-10);
    }
}

#[test]
fn what_no_optimizer_knows_is_an_error() {
    let store = start(2);
    for (table, part) in [
        (json!({ "name": "Nothing" }), "there is no optimizer `Nothing`"),
        (json!({ "name": "Adan", "beta": 1 }), "unknown field `beta`"),
        (json!({ "name": "AdamW", "beta": 1 }), "unknown parameter"),
    ] {
        let choice: Choice = serde_json::from_value(table).unwrap();
        let blueprint = Blueprint { optimizer: choice, ..Blueprint::default() };
        let error = optimizer(&blueprint, &store).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
