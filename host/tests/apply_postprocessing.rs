//! `apply_postprocessing` with postprocessors by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::nifti;
use nnunet_tests::World;

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
