//! Metrics against what MedPy and nnU-Net 1.7.1 measure: made-up masks (fixtures/make_surfaces.py), and v1's own metrics
//! of the reference data.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use ndarray::Array3;
use nnunet_evaluation::{Confusion, EXTENDED, Lesions, MaskPair, Surfaces, extended_metrics, metrics};
use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti;
use nnunet_test_support::{files, golden};

/// Largest relative difference: distances are single precision here.
const CLOSE: f64 = 1e-6;

fn same(ours: f64, theirs: f64, what: &str) {
    let close = (ours - theirs).abs() <= CLOSE * theirs.abs().max(1.0);
    assert!(close || ours.is_nan() && theirs.is_nan(), "{what}: {ours}, not {theirs}");
}

fn numbers(json: &Json) -> Vec<f64> {
    json.items().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The script's `mask`.
fn mask(shape: [usize; 3], balls: &Json) -> Array3<bool> {
    let balls: Vec<Vec<f64>> = balls.items().unwrap().iter().map(numbers).collect();
    Array3::from_shape_fn(shape, |(z, y, x)| {
        let at = [z as f64, y as f64, x as f64];
        let square = |ball: &[f64]| (0..3).map(|axis| (at[axis] - ball[axis]).powi(2)).sum::<f64>();
        balls.iter().any(|ball| square(ball) <= ball[3]) && (z * 31 + y * 17 + x * 7) % 23 != 0
    })
}

#[test]
fn surfaces_and_lesions_are_those_of_medpy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/surfaces.json");
    for (i, case) in json::load(&path).unwrap().items().unwrap().iter().enumerate() {
        let get = |key: &str| case.get(key).unwrap();
        let shape: Vec<usize> = numbers(get("shape")).iter().map(|len| *len as usize).collect();
        let shape: [usize; 3] = shape.try_into().unwrap();
        let pair = MaskPair {
            prediction: mask(shape, get("prediction")),
            reference: mask(shape, get("reference")),
            spacing: numbers(get("spacing")).try_into().unwrap(),
        };
        let surfaces = Surfaces::between(&pair).unwrap();
        same(surfaces.hausdorff_95(), get("hd95").as_f64().unwrap(), &format!("case {i}: hd95"));
        same(surfaces.average(), get("assd").as_f64().unwrap(), &format!("case {i}: assd"));
        for (tolerance, dice) in numbers(get("tolerances")).into_iter().zip(numbers(get("surface_dice"))) {
            same(surfaces.dice(tolerance), dice, &format!("case {i}: surface Dice at {tolerance} mm"));
        }
        let count = |key: &str| get("lesions").get(key).unwrap().as_f64().unwrap() as usize;
        let expected = Lesions {
            reference: count("reference"),
            detected: count("detected"),
            prediction: count("prediction"),
            confirmed: count("confirmed"),
        };
        assert_eq!(Lesions::count(&pair), expected, "case {i}");
    }
}

#[test]
fn metrics_are_those_of_v1() {
    let root = golden("metrics");
    let expected = json::load(&root.join("all_metrics_nan.json")).unwrap();
    let mut compared = 0;
    for path in files(&root.join("ref"), ".nii.gz") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let [truth, prediction] =
            ["ref", "pred"].map(|folder| nifti::read(&root.join(folder).join(&name)).unwrap());
        let spacing = prediction.geometry.spacing_zyx();
        let [truth, prediction] = [truth, prediction].map(|image| image.data.mapv(|label| label as u8));
        let Some(Json::Object(labels)) = expected.get(name.trim_end_matches(".nii.gz")) else {
            panic!("{name}")
        };
        for (label, theirs) in labels {
            let label: u8 = label.parse().unwrap();
            let counts = Confusion::count(prediction.view(), truth.view(), label);
            let extended = extended_metrics(prediction.view(), truth.view(), label, spacing, 1.0);
            let extended = EXTENDED.into_iter().zip(extended);
            for (metric, ours) in metrics(&counts).into_iter().chain(extended) {
                let Some(theirs) = theirs.get(metric).and_then(Json::as_f64) else { continue };
                same(ours, theirs, &format!("{name}, label {label}: {metric}"));
                compared += 1;
            }
        }
    }
    assert!(compared > 0);
}
