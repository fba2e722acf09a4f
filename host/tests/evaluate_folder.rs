//! `evaluate_folder`: the second summary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::json;
use nnunet_tests::{World, copy_folder};

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
