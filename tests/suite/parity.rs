//! The program against what Python nnU-Net v1 1.7.1 did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use nnunet_formats::json::{self, Json};
use nnunet_formats::{nifti, pickle};
use nnunet_test_support::{difference, files, reference};
use nnunet_tests::World;

/// Largest relative difference between a number of v1's plans and of ours.
const PLANS: f64 = 1e-5;
/// Share of voxels whose label must be equal.
const LABELS: f64 = 0.9999;

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn plans_equal_those_of_v1() {
    let Some(root) = reference("", "parity::plans_equal_those_of_v1") else { return };
    let sets = [
        ("hippocampus/Task004_Hippocampus", "hippocampus_v1", "4"),
        ("synthetic/ct_aniso/seed1/raw/Task501_SynCtAniso", "synthetic/ct_aniso/seed1", "501"),
        ("synthetic/mr_multi/seed1/raw/Task502_SynMrMulti", "synthetic/mr_multi/seed1", "502"),
    ];
    let is_path = |key: &str| key.ends_with("_folder") || key == "list_of_npz_files";
    for (raw, expected, id) in sets {
        let world = World::new();
        let task = raw.rsplit('/').next().unwrap();
        copy(&root.join(raw), &world.path(&format!("raw/nnUNet_raw_data/{task}")));
        world.succeed(&format!("plan_and_preprocess -t {id} --verify_dataset_integrity -tl 2 -tf 2 -no_pp"));
        for file in ["nnUNetPlansv2.1_plans_3D.pkl", "nnUNetPlansv2.1_plans_2D.pkl", "dataset_properties.pkl"]
        {
            let read = |path| Json::from(&pickle::load(path).unwrap());
            let (v1, ours) = (
                read(&root.join(expected).join(file)),
                read(&world.path(&format!("preprocessed/{task}/{file}"))),
            );
            assert_eq!(difference(&v1, &ours, PLANS, &is_path), None, "{task} {file}");
        }
    }
}

/// A model trained by v1 predicts the same labels here: every case v1 predicted with it, both folds.
#[test]
fn a_model_of_v1_predicts_the_same_labels() {
    let Some(root) = reference("", "parity::a_model_of_v1_predicts_the_same_labels") else { return };
    let mut seen = 0;
    for prediction in std::fs::read_dir(root.join("model_v1/predictions")).unwrap().flatten() {
        let how = json::load(&prediction.path().join("how.json")).unwrap();
        let arguments: Vec<&str> =
            how.get("args").unwrap().items().unwrap().iter().filter_map(Json::as_str).collect();
        if !arguments.contains(&"--disable_tta")
            || arguments.iter().any(|a| *a == "--mode" || a.contains("cascade"))
        {
            continue;
        }
        let world = World::new();
        copy(&root.join("model_v1/results"), &world.path("results"));
        let input = root.join(how.get("input").unwrap().as_str().unwrap());
        world.succeed(&format!("predict -i {} -o out {}", input.display(), arguments.join(" ")));
        for expected in files(&prediction.path(), ".nii.gz") {
            let ours = nifti::read(&world.path("out").join(expected.file_name().unwrap())).unwrap();
            let v1 = nifti::read(&expected).unwrap();
            let same =
                v1.data.iter().zip(&ours.data).filter(|(a, b)| a == b).count() as f64 / v1.data.len() as f64;
            assert!(same >= LABELS, "{}: {same} of the labels agree", expected.display());
            seen += 1;
        }
    }
    assert!(seen > 0, "no prediction without mirroring in the reference");
}
