//! Names, shapes, order and forward values of v1's networks (nnunet 1.7.1, torch 2.1.2). The numbers come from
//! `fixtures/make_networks.py`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_architectures::{self as _, ParameterStore};
use nnunet_formats::json::{self, Json};
use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::{Network, NetworkSpec, Registration, TensorFactories, inventory, serde_json};

/// Largest difference of an output, relative to the largest value. Six times what v1 differs from itself on other
/// processors, 3.3e-6 (`fixtures/make_networks.py` with AVX-512, AVX2, SSE4.1 and libtorch's default kernels).
const TOLERANCE: f64 = 2e-5;

fn fixture() -> Json {
    json::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/networks.json")).unwrap()
}

fn usizes(json: &Json) -> Vec<usize> {
    json.items().unwrap().iter().map(|n| n.as_f64().unwrap() as usize).collect()
}

fn lists(json: &Json) -> Vec<Vec<usize>> {
    json.items().unwrap().iter().map(usizes).collect()
}

fn spec(all: &Json, dim: usize, modular: bool) -> NetworkSpec {
    let get = |key: &str| all.get(key).unwrap();
    let of_dim = |key: &str| get(key).get(&dim.to_string()).unwrap();
    let number = |key: &str| get(key).as_f64().unwrap() as usize;
    let blocks = lists(get("blocks"));
    let pools = lists(of_dim("pools"));
    NetworkSpec {
        num_input_channels: number("input"),
        num_classes: number("classes"),
        base_num_features: number("base"),
        conv_per_stage: 2,
        patch_size: usizes(of_dim("patch")),
        pool_op_kernel_sizes: if modular { pools } else { pools[1..].to_vec() },
        conv_kernel_sizes: lists(of_dim("kernels")),
        num_blocks_encoder: modular.then(|| blocks[0].clone()),
        num_blocks_decoder: modular.then(|| blocks[1].clone()),
    }
}

fn build(name: &str, config: serde_json::Value, spec: &NetworkSpec) -> (ParameterStore, Box<dyn Network>) {
    let component = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name).unwrap();
    let make = component.factory.architecture().unwrap_or_else(|| panic!("{name} is not an architecture"));
    let mut store = ParameterStore::new(Device::Cpu);
    let network = make(config.as_object().unwrap()).unwrap().build(&mut store, spec).unwrap();
    (store, network)
}

fn wave(count: i64, step: f64, phase: f64) -> Tensor {
    (Tensor::arange(count, (Kind::Double, Device::Cpu)) * step + phase).sin()
}

/// The weights of the script.
fn fill(store: &ParameterStore) {
    let own = store.parameters().iter().filter(|parameter| parameter.same_as.is_none());
    let own = own.filter(|parameter| !parameter.name.ends_with("num_batches_tracked"));
    for (t, parameter) in own.enumerate() {
        let (name, mut tensor) = (&parameter.name, parameter.tensor.shallow_clone());
        let wave = wave(tensor.numel() as i64, 0.7, t as f64);
        let scale = tensor.dim() == 1 && name.ends_with(".weight") || name.ends_with("norm.weight");
        let values = if name.ends_with("running_var") {
            wave * 0.5 + 1.0
        } else {
            wave * 0.2 + f64::from(u8::from(scale))
        };
        no_grad(|| tensor.copy_(&values.reshape(tensor.size())));
    }
}

fn compare(label: &str, outputs: &[Tensor], expected: &Json) {
    let expected = expected.items().unwrap();
    assert_eq!(outputs.len(), expected.len(), "{label}: outputs");
    for (output, expected) in outputs.iter().zip(expected) {
        let values = Vec::<f64>::try_from(output.to_kind(Kind::Double).reshape([-1])).unwrap();
        let expected: Vec<f64> = expected.items().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
        let ours: Vec<f64> = values.iter().step_by(17).copied().collect();
        assert_eq!(ours.len(), expected.len(), "{label}: size of an output");
        let scale = expected.iter().fold(1.0_f64, |scale, value| scale.max(value.abs()));
        for (a, b) in ours.iter().zip(&expected) {
            assert!((a - b).abs() <= TOLERANCE * scale, "{label}: {a} instead of {b}");
        }
    }
}

fn check(all: &Json, case: &Json) {
    let text = |key: &str| case.get(key).and_then(Json::as_str).unwrap();
    let dim = case.get("dim").unwrap().as_f64().unwrap() as usize;
    let modular = text("architecture") != "Generic_UNet";
    let label = format!("{} {dim}D {}", text("architecture"), text("norm"));
    let spec = spec(all.get("spec").unwrap(), dim, modular);
    let mut config = serde_json::json!({ "norm": text("norm") });
    if modular {
        config["max_num_features"] = serde_json::json!(12);
    } else if text("norm") == "filter_response" {
        config["nonlinearity"] = serde_json::json!("none");
    }
    let (mut store, mut network) = build(text("architecture"), config, &spec);
    let names: Vec<(String, Vec<usize>)> = store
        .parameters()
        .iter()
        .map(|p| (p.name.clone(), p.tensor.size().iter().map(|len| *len as usize).collect()))
        .collect();
    let pair = |entry: &Json| {
        let entry = entry.items().unwrap();
        (entry[0].as_str().unwrap().to_owned(), usizes(&entry[1]))
    };
    let expected: Vec<_> = case.get("names").unwrap().items().unwrap().iter().map(pair).collect();
    assert_eq!(names, expected, "{label}: state dict");
    fill(&store);
    let mut size = vec![2, spec.num_input_channels as i64];
    size.extend(spec.patch_size.iter().map(|len| *len as i64));
    let data = wave(size.iter().product(), 0.3, 0.0).to_kind(Kind::Float).reshape(&size);
    no_grad(|| {
        compare(&label, &network.forward(&data, true).unwrap(), case.get("eval").unwrap());
        store.freeze().unwrap();
        let frozen = network.forward(&data, true).unwrap();
        compare(&format!("{label}, frozen"), &frozen, case.get("eval").unwrap());
        let Some(expected) = case.get("train") else { return };
        network.set_training(true).unwrap();
        compare(&format!("{label}, training"), &network.forward(&data, true).unwrap(), expected);
        let running = case.get("running_var").unwrap().items().unwrap();
        let ours = store.get(running[0].as_str().unwrap()).unwrap().to_kind(Kind::Double);
        let wanted: Vec<f64> = running[1].items().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
        let error = f64::try_from((ours - Tensor::from_slice(&wanted)).abs().max()).unwrap();
        assert!(error < TOLERANCE, "{label}: running variance differs by {error}");
    });
}

#[test]
fn networks_equal_those_of_v1() {
    let all = fixture();
    let cases = all.get("cases").unwrap().items().unwrap();
    assert_eq!(cases.len(), 16);
    cases.iter().for_each(|case| check(&all, case));
}

#[test]
fn one_full_resolution_output_without_deep_supervision() {
    let all = fixture();
    let spec = spec(all.get("spec").unwrap(), 3, true);
    let (_, network) = build("FabiansUNet", serde_json::json!({ "max_num_features": 12 }), &spec);
    let outputs =
        network.forward(&Tensor::zeros([1, 2, 4, 8, 8], (Kind::Float, Device::Cpu)), false).unwrap();
    assert_eq!(outputs.iter().map(Tensor::size).collect::<Vec<_>>(), [[1, 3, 4, 8, 8]]);
}

#[test]
fn residual_blocks_may_start_by_adding_nothing() {
    let all = fixture();
    let spec = spec(all.get("spec").unwrap(), 3, true);
    let (store, _) = build("FabiansUNet", serde_json::json!({ "zero_last_norm": true }), &spec);
    let last = store.get("encoder.stages.1.convs.0.norm2.weight").unwrap();
    assert_eq!(f64::try_from(last.abs().sum(Kind::Double)).unwrap(), 0.0);
    assert_eq!(f64::try_from(store.get("encoder.initial_norm.weight").unwrap().min()).unwrap(), 1.0);
}
