//! The sliding window gives what nnunet 1.7.1 (torch 2.1.2, CPU, fp32) gave, and the same to the bit however it is cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array4, ArrayD, IxDyn};
use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_formats::json::{self, Json};
use nnunet_inference::{
    Scores, SegmentationHeads, SlidingWindow, Storage, from_tensor, predict_rows, tile_starts,
};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Architecture, Network, NetworkSpec};
use nnunet_test_support::golden;

/// Absolute difference of a probability. Seven times what v1 differs from itself on other processors, 2.7e-6
/// (`tests/golden/recompute.py`).
const PROBABILITY: f32 = 2e-5;

/// Of the probabilities every seventh is stored.
const STRIDE: usize = 7;

type Tensors = BTreeMap<String, Tensor>;

fn tensors(path: &Path) -> Tensors {
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

fn numbers(json: &Json) -> Vec<usize> {
    json.items().unwrap().iter().map(|n| n.as_f64().unwrap() as usize).collect()
}

fn network(config: &Json, weights: &Tensors) -> Box<dyn Network> {
    let get = |key: &str| config.get(key).unwrap();
    let number = |key: &str| get(key).as_f64().unwrap() as usize;
    let kernels = |key: &str| get(key).items().unwrap().iter().map(numbers).collect();
    let spec = NetworkSpec {
        num_input_channels: number("in_channels"),
        num_classes: number("num_classes"),
        base_num_features: number("base"),
        conv_per_stage: 2,
        patch_size: numbers(get("patch")),
        pool_op_kernel_sizes: kernels("pool"),
        conv_kernel_sizes: kernels("conv"),
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    let mut store = ParameterStore::new(Device::Cpu);
    let network = GenericUnet::default().build(&mut store, &spec).unwrap();
    for (name, tensor) in weights {
        let values = values(tensor);
        let shape: Vec<usize> = tensor.size().iter().map(|len| *len as usize).collect();
        store.set(name, &shape, &values).unwrap();
    }
    network
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.to_kind(Kind::Float).reshape([-1])).unwrap()
}

/// The whole result, put together from its rows.
fn whole(networks: &[&dyn Network], image: &Tensor, how: &SlidingWindow) -> Array4<f32> {
    let mut parts = Vec::new();
    let mut next = 0;
    predict_rows(networks, image, how, &mut |first, rows| {
        assert_eq!(first, next, "rows come in order");
        next += rows.size()[1] as usize;
        parts.push(rows);
        Ok(())
    })
    .unwrap();
    from_tensor(&Tensor::cat(&parts, 1)).unwrap()
}

fn window(case: &Json) -> SlidingWindow {
    let arguments = case.get("args").unwrap();
    let get = |key: &str| arguments.get(key).unwrap();
    let mut how = SlidingWindow::new(numbers(get("patch_size")), 3);
    how.step = get("step_size").as_f64().unwrap();
    how.gaussian = *get("use_gaussian") == Json::Bool(true);
    how.mirror_axes =
        if *get("do_mirroring") == Json::Bool(true) { numbers(get("mirror_axes")) } else { vec![] };
    if case.get("nonlin").and_then(Json::as_str) == Some("sigmoid") {
        how.scores = Scores::Sigmoid;
    }
    how
}

fn heads(case: &Json) -> SegmentationHeads {
    match case.get("args").and_then(|arguments| arguments.get("regions_class_order")) {
        Some(Json::Array(order)) => {
            SegmentationHeads::Regions(order.iter().map(|label| label.as_f64().unwrap() as u8).collect())
        }
        _ => SegmentationHeads::Labels(3),
    }
}

/// All cases with a sliding window; one forward pass over a whole image is open to library users of v1 only.
#[test]
fn every_case_of_v1() {
    let folder = golden("sliding_window");
    let cases = json::load(&folder.join("cases.json")).unwrap();
    let inputs = tensors(&folder.join("inputs.safetensors"));
    let expected = tensors(&folder.join("expected.safetensors"));
    let nets: BTreeMap<&str, Box<dyn Network>> = [("net3d", "config_3d"), ("net2d", "config_2d")]
        .map(|(net, config)| {
            let weights = tensors(&folder.join(format!("{net}.safetensors")));
            (net, network(cases.get(config).unwrap(), &weights))
        })
        .into();
    let Json::Object(all) = cases.get("cases").unwrap() else { panic!("no cases") };
    let mut seen = 0;
    for (name, case) in all {
        if case.get("args").unwrap().get("use_sliding_window") == Some(&Json::Bool(false)) {
            continue;
        }
        let text = |key: &str| case.get(key).unwrap().as_str().unwrap();
        let mut image = inputs[text("input")].shallow_clone();
        if text("api") == "predict_2D" {
            image = image.unsqueeze(1);
        }
        let network = &*nets[text("net")];
        let ours = whole(&[network], &image, &window(case));
        let theirs = values(&expected[&format!("{name}/prob")]);
        assert_eq!(ours.len().div_ceil(STRIDE), theirs.len(), "{name}");
        let worst = ours.iter().step_by(STRIDE).zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < PROBABILITY, "{name}: {worst}");
        let labels = heads(case).labels::<u8>(ours.view());
        let theirs = values(&expected[&format!("{name}/seg")]);
        let differing = labels.iter().zip(&theirs).filter(|(a, b)| f32::from(**a) != **b).count();
        assert!(differing * 1000 <= theirs.len(), "{name}: {differing} labels");
        seen += 1;
    }
    assert_eq!(seen, 15);
}

#[test]
fn steps_are_those_of_v1() {
    let folder = golden("sliding_window");
    let cases = json::load(&folder.join("cases.json")).unwrap();
    for case in cases.get("steps").and_then(Json::items).unwrap() {
        let get = |key: &str| case.get(key).unwrap();
        let step = get("step_size").as_f64().unwrap();
        let (image, patch) = (numbers(get("image")), numbers(get("patch")));
        for (axis, steps) in get("steps").items().unwrap().iter().enumerate() {
            assert_eq!(tile_starts(image[axis], patch[axis], step), numbers(steps));
        }
    }
}

#[test]
fn gaussians_are_those_of_v1() {
    let folder = golden("sliding_window");
    let maps = tensors(&folder.join("gaussian.safetensors"));
    assert!(maps.len() > 3);
    for (name, map) in maps {
        let mut patch = [1; 3];
        let size = map.size();
        size.iter().rev().zip(patch.iter_mut().rev()).for_each(|(len, to)| *to = *len as usize);
        let ours = nnunet_numerics::gaussian_importance_map(patch);
        let theirs = ArrayD::from_shape_vec(IxDyn(&patch), values(&map)).unwrap();
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * b.abs() + 1e-12;
        assert!(ours.iter().zip(&theirs).all(close), "{name}");
    }
}

fn small(patch: &[usize]) -> (SlidingWindow, [Box<dyn Network>; 2]) {
    let axes = patch.len();
    let spec = NetworkSpec {
        num_input_channels: 2,
        num_classes: 3,
        base_num_features: 4,
        conv_per_stage: 2,
        patch_size: patch.to_vec(),
        pool_op_kernel_sizes: vec![vec![2; axes]],
        conv_kernel_sizes: vec![vec![3; axes]; 2],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    nnunet_plugin_api::tch::manual_seed(5);
    let build = || GenericUnet::default().build(&mut ParameterStore::new(Device::Cpu), &spec).unwrap();
    (SlidingWindow::new(patch.to_vec(), 3), [build(), build()])
}

/// How many rows leave together, and where sums are kept, changes nothing, with one network and several.
#[test]
fn neither_slabs_nor_files_change_a_bit() {
    let folder = tempfile::tempdir().unwrap();
    let image = |size: [i64; 4]| Tensor::randn(size, (Kind::Float, Device::Cpu));
    for (patch, size) in
        [(vec![8, 8, 8], [2, 21, 9, 13]), (vec![8, 8, 8], [2, 5, 9, 13]), (vec![8, 8], [2, 19, 9, 13])]
    {
        let (plain, networks) = small(&patch);
        let image = image(size);
        for scores in [Scores::Softmax, Scores::Sigmoid, Scores::Logits] {
            let plain = SlidingWindow { scores, ..plain.clone() };
            let file = Storage::File(folder.path().to_owned());
            let cut = SlidingWindow { rows: 3, sums: file.clone(), folds: file, ..plain.clone() };
            let all: Vec<&dyn Network> = networks.iter().map(|network| &**network).collect();
            for networks in [&all[..1], &all] {
                assert_eq!(
                    whole(networks, &image, &plain),
                    whole(networks, &image, &cut),
                    "{patch:?} {scores:?}"
                );
            }
        }
    }
}

/// Half precision is what several networks' scores and their mean have, when it is asked for.
#[test]
fn means_in_half_precision_are_v1s() {
    let (plain, networks) = small(&[8, 8, 8]);
    let image = Tensor::randn([2, 11, 9, 13], (Kind::Float, Device::Cpu));
    let half = SlidingWindow { folds_in_half: true, ..plain.clone() };
    let rounded = |value: f32| half::f16::from_f32(value).to_f32();
    let [one, other] = [0, 1].map(|i| whole(&[&*networks[i]], &image, &plain).mapv(rounded));
    let expected = ((one + other) / 2.0).mapv(rounded);
    let both: Vec<&dyn Network> = networks.iter().map(|network| &**network).collect();
    assert_eq!(whole(&both, &image, &half), expected);
    assert_ne!(whole(&both, &image, &plain), expected);
    assert_eq!(whole(&both[..1], &image, &half), whole(&both[..1], &image, &plain));
}

/// Mirror images together give the same as one by one, up to rounding.
#[test]
fn mirror_images_may_go_together() {
    let (plain, networks) = small(&[8, 8, 8]);
    let image = Tensor::randn([2, 11, 9, 13], (Kind::Float, Device::Cpu));
    let plain = SlidingWindow { batch: 1, ..plain };
    let together = SlidingWindow { batch: 3, ..plain.clone() };
    let (a, b) = (whole(&[&*networks[0]], &image, &plain), whole(&[&*networks[0]], &image, &together));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
}
