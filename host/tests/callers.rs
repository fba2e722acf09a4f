//! Programs that call nnU-Net: their arguments, environment and folders, and what they look for afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use nnunet_formats::nifti;
use nnunet_test_support::files;
use nnunet_tests::{World, copy_folder, repository};

/// Share of voxels with the same label.
fn agreement(a: &Path, b: &Path) -> f64 {
    let (a, b) = (nifti::read(a).unwrap().data, nifti::read(b).unwrap().data);
    let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count();
    equal as f64 / a.len() as f64
}

/// Links in a folder `bin`.
fn linked() -> World {
    let world = World::new();
    world.succeed("aliases --dir bin");
    world
}

/// The program that SlicerNNUNet takes: the first of those whose names begin so.
fn slicers_program(world: &World) -> PathBuf {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(world.path("bin")).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    let begins = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("nnUNetv2_predict");
    found.into_iter().find(begins).unwrap()
}

/// All three folders of v2 are the one above the data set, which holds nothing but the model; one image `volume`.
#[test]
fn slicer_predicts_a_volume() {
    let world = linked();
    let stored = repository().join("tests/stored/v2_cascade");
    let model = "nnUNetTrainer__nnUNetPlans__3d_lowres";
    copy_folder(&stored.join(model), &world.path("models/Dataset900_Phantom").join(model));
    for folder in ["in", "out"] {
        std::fs::create_dir(world.path(folder)).unwrap();
    }
    std::fs::copy(stored.join("images/case_0000.nii.gz"), world.path("in/volume_0000.nii.gz")).unwrap();
    let models = world.path("models").display().to_string();
    let variables =
        ["nnUNet_preprocessed", "nnUNet_raw", "nnUNet_results"].map(|name| (name, models.as_str()));
    let line = format!(
        "-i {} -o {} -d Dataset900_Phantom -tr nnUNetTrainer -p nnUNetPlans -c 3d_lowres -f 0 -npp 1 -nps 1 -step_size 0.5 \
         -device cpu -chk checkpoint_final.pth --disable_tta",
        world.path("in").display(),
        world.path("out").display()
    );
    let outcome = world.run_program(&slicers_program(&world), &line, &variables);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    // The first volume in the folder is loaded.
    assert_eq!(files(&world.path("out"), ".nii.gz"), [world.path("out/volume.nii.gz")]);
    let share = agreement(&world.path("out/volume.nii.gz"), &stored.join("first/case.nii.gz"));
    assert!(share >= 0.999, "{share} of the voxels are as v2 predicts");
    assert!(world.path("out/dataset.json").is_file());
}

/// Two models, of which MITK merges the predictions. A GPU is named whether there is one or not.
#[test]
fn mitk_predicts_and_merges() {
    let world = World::with_phantoms();
    world.succeed("aliases --dir bin");
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    std::fs::create_dir(world.path("in")).unwrap();
    let image = world.path("raw/nnUNet_raw_data/Task900_Phantom/imagesTs/phantom_006_0000.nii.gz");
    std::fs::copy(image, world.path("in/a1B2c3_000_0000.nii.gz")).unwrap();
    let variables = [("CUDA_VISIBLE_DEVICES", "0")];
    let run = |program: &str, line: &str| {
        let outcome = world.run_program(&world.path("bin").join(program), line, &variables);
        assert_eq!(outcome.code, 0, "{program} {line}: {}", outcome.text);
    };
    for out in ["out1", "out2"] {
        run(
            "nnUNet_predict",
            &format!(
                "-i in -o {out} -t Task900_Phantom -tr Short -m 3d_fullres -p nnUNetPlansSmall -f 0 \
                 --num_threads_preprocessing 1 --num_threads_nifti_save 1 --disable_tta --disable_mixed_precision --save_npz"
            ),
        );
        assert!(world.path(out).join("a1B2c3_000.nii.gz").is_file());
    }
    let postprocessing = r#"{"for_which_classes": [], "min_valid_object_sizes": "None"}"#;
    world.write("postprocessing.json", postprocessing);
    run("nnUNet_ensemble", "-f out1 out2 -o out -pp postprocessing.json");
    let share = agreement(&world.path("out/a1B2c3_000.nii.gz"), &world.path("out1/a1B2c3_000.nii.gz"));
    assert!(share >= 0.999, "{share} of the voxels are as in both");
}
