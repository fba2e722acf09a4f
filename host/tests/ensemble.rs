//! `ensemble` against v1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_test_support::{reference, same_labels};
use nnunet_tests::World;

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
