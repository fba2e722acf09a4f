//! Resampling equals nnunet 1.7.1 (SciPy 1.15, scikit-image 0.24, batchgenerators 0.25.5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use ndarray::{Array3, Array4, Axis};
use nnunet_formats::json::{self, Json};
use nnunet_formats::npz;
use nnunet_numerics::{Resampling, resample, resample_labels, resampled_shape, resize_labels, separate_axis};
use nnunet_test_support::golden;
use std::path::Path;

/// Share of label voxels that must be equal.
const LABELS: f64 = 0.9999;
/// Largest difference of an image value.
const IMAGE: f32 = 1e-4;

fn array(path: &Path, key: &str) -> Array4<f32> {
    let member = npz::load(path, key).unwrap();
    let values = member.to_f32().unwrap();
    let mut shape = vec![1; 4 - member.header.shape.len()];
    shape.extend(member.header.shape);
    Array4::from_shape_vec((shape[0], shape[1], shape[2], shape[3]), values).unwrap()
}

fn shape_of(array: &Array4<f32>) -> [usize; 3] {
    [array.shape()[1], array.shape()[2], array.shape()[3]]
}

fn vector(json: &Json) -> [f64; 3] {
    std::array::from_fn(|i| json.items().unwrap()[i].as_f64().unwrap())
}

fn worst(a: &Array4<f32>, b: &Array4<f32>) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn agreement(a: &Array3<f32>, b: &Array3<f32>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

fn number(kwargs: &Json, key: &str, default: u32) -> u32 {
    kwargs.get(key).and_then(Json::as_f64).map_or(default, |value| value as u32)
}

fn force(kwargs: &Json) -> Option<bool> {
    match kwargs.get("force_separate_z") {
        Some(Json::Bool(value)) => Some(*value),
        _ => None,
    }
}

#[test]
fn every_case_of_the_reference() {
    let folder = golden("resample");
    let cases = json::load(&folder.join("cases.json")).unwrap();
    let Some(Json::Object(cases)) = cases.get("cases").cloned() else { panic!("no cases") };
    let mut seen = 0;
    for (name, case) in cases {
        let file = folder.join(format!("{name}.npz"));
        match &name[..1] {
            "p" => check_patient(&name, &file, &case),
            "r" => check_labels(&name, &file, &case),
            _ => continue,
        }
        seen += 1;
    }
    assert_eq!(seen, 27);
}

fn check_patient(name: &str, file: &Path, case: &Json) {
    let kwargs = case.get("kwargs").unwrap();
    let (original, target) =
        (vector(case.get("original_spacing").unwrap()), vector(case.get("target_spacing").unwrap()));
    let (data, seg) = (array(file, "data"), array(file, "seg"));
    let shape = resampled_shape(shape_of(&data), original, target);
    let separate = separate_axis(original, target, force(kwargs));
    let of = |order, order_z| Resampling {
        order: number(kwargs, order, 3),
        order_z: number(kwargs, order_z, 0),
        separate,
    };
    let image = resample(data.view(), shape, of("order_data", "order_z_data"));
    let error = worst(&image, &array(file, "expected_data"));
    assert!(error <= IMAGE, "{name}: image differs by {error}");
    let labels = resample_labels(seg.index_axis(Axis(0), 0), shape, of("order_seg", "order_z_seg"));
    let same = agreement(&labels, &array(file, "expected_seg").index_axis(Axis(0), 0).to_owned());
    assert!(same >= LABELS, "{name}: {same} of the labels agree");
}

fn check_labels(name: &str, file: &Path, case: &Json) {
    let (seg, expected) = (array(file, "seg"), array(file, "expected_seg"));
    let order = case.get("order").and_then(Json::as_f64).unwrap_or(1.0) as u32;
    let labels = resize_labels(seg.index_axis(Axis(0), 0), shape_of(&expected), order);
    let same = agreement(&labels, &expected.index_axis(Axis(0), 0).to_owned());
    assert!(same >= LABELS, "{name}: {same} of the labels agree");
}
