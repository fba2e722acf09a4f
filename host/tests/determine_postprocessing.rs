//! `determine_postprocessing` and `apply_postprocessing` against v1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::json;
use nnunet_test_support::{difference, golden, same_labels};
use nnunet_tests::World;

/// Largest relative difference of a score.
const SCORES: f64 = 1e-9;

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
