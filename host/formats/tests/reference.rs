//! Files that Python wrote, and files that mean harm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use nnunet_formats::json::{self, Json};
use nnunet_formats::{nifti, npz, pickle, torch_zip};
use nnunet_test_support::{difference, files, reference};

/// Largest relative difference between a number of a pickle and of its JSON dump.
const TOLERANCE: f64 = 1e-6;

#[test]
fn plans_and_properties_equal_their_json_dumps() {
    let Some(root) = reference("", "reference::plans_and_properties_equal_their_json_dumps") else { return };
    let folders =
        ["hippocampus_v1", "synthetic/ct_aniso/seed1", "synthetic/mr_multi/seed1", "synthetic/twod/seed1"];
    let mut seen = 0;
    for pkl in folders.iter().flat_map(|folder| files(&root.join(folder), ".pkl")) {
        let value = pickle::load(&pkl).unwrap_or_else(|error| panic!("{error}"));
        let dump = json::load(&pkl.with_extension("json")).unwrap();
        assert_eq!(difference(&dump, &Json::from(&value), TOLERANCE, &|_| false), None, "{}", pkl.display());
        let again = pickle::read(&pickle::to_bytes(&value)).unwrap();
        assert_eq!(format!("{again:?}"), format!("{value:?}"), "{}", pkl.display());
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} pickles");
}

#[test]
fn hostile_checkpoints_are_refused() {
    let Some(folder) = reference("torch_zip/hostile", "reference::hostile_checkpoints_are_refused") else {
        return;
    };
    let Json::Object(cases) = json::load(&folder.join("expected.json")).unwrap() else { panic!("no cases") };
    let mut seen = 0;
    for (name, case) in cases {
        let path = folder.join(&name);
        let accepted =
            if name.ends_with(".pkl") { pickle::load(&path).is_ok() } else { torch_zip::load(&path).is_ok() };
        if case.get("a_safe_reader_must_reject") == Some(&Json::Bool(true)) {
            assert!(!accepted, "{name} was accepted: {:?}", case.get("description"));
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} hostile files");
}

#[test]
fn checkpoints_of_both_formats_have_the_same_content() {
    let Some(folder) = reference("torch_zip/v1", "reference::checkpoints_of_both_formats") else { return };
    let zip = torch_zip::load(&folder.join("model_final_checkpoint.model")).unwrap();
    let expected = json::load(&folder.join("model_final_checkpoint.expected.json")).unwrap();
    assert_eq!(
        zip.root.get("epoch").and_then(pickle::Value::as_f64),
        expected.get("epoch").and_then(Json::as_f64)
    );
    let state = zip.root.get("state_dict").and_then(pickle::Value::entries).unwrap();
    assert!(state.len() > 20);
    let legacy = torch_zip::load(&folder.join("legacy_nonzip.model")).unwrap();
    let old = legacy.root.get("state_dict").and_then(pickle::Value::entries).unwrap();
    for ((name, tensor), (old_name, old_tensor)) in state.iter().zip(old) {
        let (pickle::Value::Tensor(a), pickle::Value::Tensor(b)) = (tensor, old_tensor) else {
            panic!("no tensors")
        };
        assert_eq!(name, old_name);
        assert_eq!(zip.tensors[*a], legacy.tensors[*b]);
    }
}

#[test]
fn a_written_checkpoint_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.model");
    let checkpoint = torch_zip::Checkpoint {
        root: pickle::Value::dict(vec![
            ("w", pickle::Value::Tensor(0)),
            ("s", pickle::Value::f32_scalar(2.5)),
        ]),
        tensors: vec![torch_zip::TensorData::from_f32(vec![2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])],
    };
    torch_zip::save(&path, &checkpoint).unwrap();
    let back = torch_zip::load(&path).unwrap();
    assert_eq!(back.tensors, checkpoint.tensors);
    assert_eq!(back.root, checkpoint.root);
}

#[test]
fn geometry_equals_simple_itk() {
    let Some(root) = reference("synthetic", "reference::geometry_equals_simple_itk") else { return };
    let mut seen = 0;
    for kind in ["ct_aniso", "mr_multi", "twod"] {
        let seed = root.join(kind).join("seed1");
        for dump in files(&seed.join("cropped_props"), ".json") {
            let properties = json::load(&dump).unwrap();
            let image = properties.get("list_of_data_files").unwrap().items().unwrap()[0]
                .as_str()
                .unwrap()
                .to_owned();
            let tail: std::path::PathBuf =
                image.split("Task").nth(1).map(|tail| format!("Task{tail}")).unwrap().into();
            let geometry = nifti::read_geometry(&seed.join("raw").join(tail)).unwrap();
            let close = |key: &str, ours: &[f64]| {
                let theirs = properties.get(key).unwrap().items().unwrap();
                let same = ours
                    .iter()
                    .zip(theirs)
                    .all(|(a, b)| (a - b.as_f64().unwrap()).abs() <= 1e-6 * a.abs().max(1.0));
                assert!(same, "{key} of {image}: {ours:?} and {theirs:?}");
            };
            close("itk_origin", &geometry.origin);
            close("itk_spacing", &geometry.spacing);
            close("itk_direction", &geometry.direction);
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} images");
}

#[test]
fn preprocessed_cases_are_read() {
    let Some(folder) = reference("hippocampus_v1", "reference::preprocessed_cases_are_read") else { return };
    let cases = files(&folder.join("nnUNetData_plans_v2.1_stage0"), ".npz");
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(npz::load_f32(&case, "data").unwrap().shape()[0], 2);
    }
}
