//! `find_best_configuration` against v1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_formats::json::{self, Json};
use nnunet_test_support::{difference, reference, same_labels};
use nnunet_tests::{World, copy_folder};

/// Largest relative difference of a score.
const SCORES: f64 = 1e-9;

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
    let text = world.succeed("find_best_configuration -t 4 --allow_missing_pp");
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
