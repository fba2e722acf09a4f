//! Files that Python wrote.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use nnunet_formats::json::{self, Json};
use nnunet_formats::{nifti, npz, pickle};
use nnunet_test_support::{difference, files, golden, reference};

/// Largest relative difference between a number of a pickle and of its JSON dump.
const TOLERANCE: f64 = 1e-6;

#[test]
fn plans_and_properties_equal_their_json_dumps() {
    let folders = ["ct_aniso", "mr_multi", "twod"].map(|kind| golden(&format!("synthetic/{kind}/seed1")));
    let mut seen = 0;
    for pkl in folders.iter().flat_map(|folder| files(folder, ".pkl")) {
        let value = pickle::load(&pkl).unwrap_or_else(|error| panic!("{error}"));
        let dump = json::load(&pkl.with_extension("json")).unwrap();
        assert_eq!(difference(&dump, &Json::from(&value), TOLERANCE, &|_| false), None, "{}", pkl.display());
        let again = pickle::read(&pickle::to_bytes(&value)).unwrap();
        assert_eq!(format!("{again:?}"), format!("{value:?}"), "{}", pkl.display());
        seen += 1;
    }
    assert_eq!(seen, 8);
}

#[test]
fn geometry_equals_simple_itk() {
    let root = golden("synthetic");
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
