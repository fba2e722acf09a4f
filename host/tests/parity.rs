//! The program against what Python nnU-Net v1 1.7.1 did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_formats::{nifti, npz, pickle};
use nnunet_test_support::{difference, files, golden, reference};
use nnunet_tests::{World, copy_folder};

/// Label maps that v1 predicted without mirroring, with the models that this test reads.
const PREDICTIONS_OF_V1: usize = 30;
/// Largest relative difference between a number of v1's plans and of ours.
const PLANS: f64 = 1e-5;
/// Share of voxels whose label must be equal.
const LABELS: f64 = 0.9999;

/// Plans, their fingerprint included, of a raw data set.
fn compare_plans(raw: &Path, expected: &Path, id: &str) {
    let is_path = |key: &str| key.ends_with("_folder") || key == "list_of_npz_files";
    let world = World::new();
    let task = raw.file_name().unwrap().to_str().unwrap();
    copy_folder(raw, &world.path(&format!("raw/nnUNet_raw_data/{task}")));
    world.succeed(&format!("plan_and_preprocess -t {id} --verify_dataset_integrity -tl 2 -tf 2 -no_pp"));
    for file in ["nnUNetPlansv2.1_plans_3D.pkl", "nnUNetPlansv2.1_plans_2D.pkl", "dataset_properties.pkl"] {
        let read = |path: &Path| Json::from(&pickle::load(path).unwrap());
        let v1 = read(&expected.join(file));
        let ours = read(&world.path(&format!("preprocessed/{task}/{file}")));
        assert_eq!(difference(&v1, &ours, PLANS, &is_path), None, "{task} {file}");
    }
}

#[test]
fn plans_equal_those_of_v1() {
    for (kind, task, id) in
        [("ct_aniso", "Task501_SynCtAniso", "501"), ("mr_multi", "Task502_SynMrMulti", "502")]
    {
        let folder = golden("synthetic").join(kind).join("seed1");
        compare_plans(&folder.join("raw").join(task), &folder, id);
    }
}

#[test]
fn plans_of_the_hippocampus_equal_those_of_v1() {
    let name = "parity::plans_of_the_hippocampus_equal_those_of_v1";
    let Some(raw) = reference("hippocampus/Task004_Hippocampus", name) else { return };
    compare_plans(&raw, &reference("hippocampus_v1", name).unwrap(), "4");
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
        copy_folder(&root.join("model_v1/results"), &world.path("results"));
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
    assert_eq!(seen, PREDICTIONS_OF_V1, "predictions without mirroring in the reference");
}

/// Models of v2 predict the same labels and probabilities here: plain and residual, 2D of two folds, regions (transposed and
/// resampled), an ignore label.
#[test]
fn models_of_v2_predict_the_same() {
    let Some(root) = reference("model_v2", "parity::models_of_v2_predict_the_same") else { return };
    let images =
        reference("hippocampus/Task004_Hippocampus/imagesTs", "parity::models_of_v2_predict_the_same")
            .unwrap();
    let models = [
        ("Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlansSmall__2d", "2d_f01_probs_tta", "-f 0 1"),
        (
            "Dataset004_Hippocampus/nnUNetTrainer__nnUNetResEncSmallPlans__3d_fullres",
            "resenc_probs_notta",
            "--disable_tta",
        ),
        (
            "Dataset005_HippoRegions/nnUNetTrainer__nnUNetPlansSmall__3d_fullres",
            "regions_probs_notta",
            "--disable_tta",
        ),
        (
            "Dataset006_HippoIgnore/nnUNetTrainer__nnUNetResEncSmallPlans__3d_fullres",
            "ignore_notta",
            "--disable_tta",
        ),
    ];
    for (model, expected, flags) in models {
        let world = World::new();
        let has_probabilities = expected.contains("_probs_");
        let expected = root.join("predictions").join(expected);
        let cases = files(&expected, ".nii.gz");
        assert!(cases.len() >= 2, "{} has {} cases", expected.display(), cases.len());
        for case in cases.into_iter().take(2) {
            let name = case.file_name().unwrap().to_string_lossy().into_owned();
            let image = images.join(name.replace(".nii.gz", "_0000.nii.gz"));
            let model = root.join("results").join(model);
            // One image at a time, as a file.
            world.succeed(&format!(
                "predict -i {} -o out --model-folder {} --save_probabilities {flags}",
                image.display(),
                model.display()
            ));
            let (v2, ours) =
                (nifti::read(&case).unwrap(), nifti::read(&world.path("out").join(&name)).unwrap());
            let equal = v2.data.iter().zip(&ours.data).filter(|(a, b)| a == b).count();
            assert!(equal as f64 >= LABELS * v2.data.len() as f64, "{model:?} {name}: {equal} voxels equal");
            let array = case.with_file_name(name.replace(".nii.gz", ".npz"));
            assert_eq!(array.is_file(), has_probabilities, "{}", array.display());
            if has_probabilities {
                let read = |path: &std::path::Path| npz::load_f32(path, "probabilities").unwrap();
                let ours = read(&world.path("out").join(array.file_name().unwrap()));
                let theirs = read(&array);
                assert_eq!(theirs.shape(), ours.shape(), "{}", array.display());
                let worst = theirs.iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 2e-3, "{model:?} {name}: {worst}");
            }
        }
    }
}
