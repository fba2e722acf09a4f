//! What follows several models: ensembles, postprocessing and the choice of a configuration, against v1's results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_formats::nifti;
use nnunet_test_support::{difference, files, golden, reference};
use nnunet_tests::{World, copy_folder};

/// Largest relative difference of a score.
const SCORES: f64 = 1e-9;

fn same_labels(expected: &Path, got: &Path) -> usize {
    let expected = files(expected, ".nii.gz");
    for file in &expected {
        let ours = nifti::read(&got.join(file.file_name().unwrap())).unwrap();
        assert_eq!(nifti::read(file).unwrap().data, ours.data, "{}", file.display());
    }
    expected.len()
}

#[test]
fn postprocessing_is_determined_as_by_v1() {
    let root = golden("metrics");
    let sets = [
        ("postprocessing_islands", ""),
        ("postprocessing_islands_advanced", " --advanced"),
        ("postprocessing_joint", ""),
        ("postprocessing_joint_then_class", ""),
        ("postprocessing_perclass", ""),
    ];
    for (name, flag) in sets {
        let world = World::new();
        let folder = root.join(name);
        let (raw, truths) = (folder.join("validation_raw"), folder.join("gt"));
        world.succeed(&format!(
            "determine_postprocessing --raw {} --gt {} -o out{flag}",
            raw.display(),
            truths.display()
        ));
        let v1 = json::load(&folder.join("postprocessing.json")).unwrap();
        let ours = json::load(&world.path("out/postprocessing.json")).unwrap();
        assert_eq!(difference(&v1, &ours, SCORES, &|_| false), None, "{name}");
        let treated = same_labels(
            &folder.join("validation_raw_postprocessed"),
            &world.path("out/validation_raw_postprocessed"),
        );
        assert!(treated > 0);
        // The same from the file alone.
        world.succeed(&format!(
            "apply_postprocessing -i {} -o again -pp out/postprocessing.json",
            raw.display()
        ));
        same_labels(&folder.join("validation_raw_postprocessed"), &world.path("again"));
    }
}

#[test]
fn ensembles_equal_those_of_v1() {
    let Some(root) = reference("model_v1", "selection::ensembles_equal_those_of_v1") else { return };
    let folders = ["predictions/2d_f0_tta", "predictions/3d_f01_tta"].map(|name| root.join(name));
    let (a, b) = (folders[0].display(), folders[1].display());
    let expected = root.join("ensembles/2d_3d_tta_pp");
    let world = World::new();
    world.succeed(&format!(
        "ensemble -f {a} {b} -o out -pp {}",
        expected.join("postprocessing.json").display()
    ));
    assert!(same_labels(&expected, &world.path("out")) > 0);
    assert!(world.path("out/not_postprocessed").is_dir() && world.path("out/postprocessing.json").is_file());
    let lacking = world.run(&format!("ensemble -f {a} {} -o out2", world.path("preprocessed").display()));
    assert_eq!(lacking.code, 1);
    assert!(lacking.text.contains("missing, though another folder has the case"), "{}", lacking.text);
}

#[test]
fn the_best_configuration_is_that_of_v1() {
    let Some(root) = reference("find_best", "selection::the_best_configuration_is_that_of_v1") else {
        return;
    };
    let world = World::new();
    copy_folder(&root.join("results"), &world.path("results"));
    let model = "nnUNet/3d_fullres/Task004_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1/gt_niftis";
    copy_folder(
        &root.join("results").join(model),
        &world.path("preprocessed/Task004_Hippocampus/gt_segmentations"),
    );
    // Without -m, the configurations that have a model.
    let text = world.succeed("find_best_configuration -t 4");
    assert!(text.contains("3d_lowres has no model and is left out"), "{text}");
    assert!(text.contains("submit model ensemble_2d__"), "{text}");
    let mut compared = 0;
    for name in ["2d", "3d_fullres"] {
        let folder = format!("nnUNet/{name}/Task004_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1");
        let read = |root: &Path, file: &str| json::load(&root.join(&folder).join(file)).unwrap();
        let (expected, results) = (root.join("expected"), world.path("results"));
        let of_names = |key: &str| key.starts_with("validation_");
        let [v1, ours] = [&expected, &results].map(|root| read(root, "postprocessing.json"));
        assert_eq!(difference(&v1, &ours, SCORES, &of_names), None, "{name}");
        let mean = |root: &Path| -> Json {
            read(root, "cv_niftis_raw/summary.json").get("results").unwrap().get("mean").unwrap().clone()
        };
        assert_eq!(difference(&mean(&expected), &mean(&results), SCORES, &|_| false), None, "{name}");
        compared += same_labels(
            &expected.join(&folder).join("cv_niftis_postprocessed"),
            &results.join(&folder).join("cv_niftis_postprocessed"),
        );
    }
    assert!(compared > 0);
    let strict = world.run("find_best_configuration -t 4 --strict");
    assert_eq!(strict.code, 1);
    assert!(strict.text.contains("there is no model of 3d_lowres"), "{}", strict.text);
}

/// Built-in postprocessors by name, with parameters; an unknown one gets the nearest names.
#[test]
fn postprocessors_are_named_on_the_command_line() {
    let world = World::new();
    world.succeed("example-dataset -o raw/nnUNet_raw_data --train 5 --test 0");
    let labels = "raw/nnUNet_raw_data/Task900_Phantom/labelsTr";
    let run = |parameters: &str| {
        let outcome = world.run_words(&[
            "apply_postprocessing",
            "-i",
            labels,
            "-o",
            "out",
            "--postprocessor",
            "MinimumSize",
            "--parameters",
            parameters,
        ]);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        let label = nifti::read(&world.path("out/phantom_000.nii.gz")).unwrap();
        label.data.iter().filter(|value| **value > 0.0).count()
    };
    assert!(run("mm3 = 1.0") > 0);
    assert_eq!(run("mm3 = 1e9"), 0);
    let unknown = world.run(&format!("apply_postprocessing -i {labels} -o out --postprocessor MinimalSize"));
    assert_eq!(unknown.code, 1);
    assert!(unknown.text.contains("MinimumSize"), "{}", unknown.text);
}

/// The second summary: what v1's metrics do not see.
#[test]
fn surfaces_volumes_and_lesions_are_in_a_second_summary() {
    let world = World::new();
    world.succeed("example-dataset -o raw/nnUNet_raw_data --train 5 --test 0");
    let labels = "raw/nnUNet_raw_data/Task900_Phantom/labelsTr";
    copy_folder(&world.path(labels), &world.path("predictions"));
    world.succeed(&format!("evaluate_folder -ref {labels} -pred predictions -l 1 2 --tolerance 0.5"));
    let summary = json::load(&world.path("predictions/summary_extended.json")).unwrap();
    assert_eq!(summary.get("description").unwrap().as_str(), Some("Normalised Surface Dice at 0.5 mm"));
    let results = summary.get("results").unwrap();
    assert_eq!(results.get("all").unwrap().items().unwrap().len(), 5);
    let mean = |metric: &str| results.get("mean").unwrap().get("1").unwrap().get(metric).unwrap().as_f64();
    assert_eq!(mean("Hausdorff Distance 95"), Some(0.0));
    assert_eq!(mean("Normalised Surface Dice"), Some(1.0));
    assert_eq!(mean("Volume Error"), Some(0.0));
    assert_eq!(mean("Lesions False"), Some(0.0));
    let wrong = world.run(&format!("evaluate_folder -ref {labels} -pred predictions -l 1 --tolerance=-1"));
    assert!(wrong.text.contains("a tolerance of -1 mm"), "{}", wrong.text);
}
