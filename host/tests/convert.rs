//! `convert`: models, plans and data sets from v1 to v2 and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_formats::{json, nifti, torch_zip};
use nnunet_tests::World;

const DATASET: &str = "Dataset900_Phantom";

/// Runs a command with v2's folders beside v1's; both have one variable for preprocessed data.
fn run(world: &World, line: &str) -> (i32, String) {
    let folders = ["raw2", "preprocessed", "results2"].map(|name| world.path(name).display().to_string());
    let names = ["nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"];
    let variables: Vec<(&str, &str)> = names.into_iter().zip(folders.iter().map(String::as_str)).collect();
    let outcome = world.run_with(line, &variables);
    (outcome.code, outcome.text)
}

fn succeed(world: &World, line: &str) -> String {
    let (code, text) = run(world, line);
    assert_eq!(code, 0, "nnunet {line}\n{text}");
    text
}

/// Least share of equal voxels of a network that has hardly been trained and is undecided in many: v1 normalizes after
/// resampling, and v2 before. Trained models are compared in the interoperation tests.
const SAME: f64 = 0.95;

#[test]
fn a_model_predicts_the_same_in_both_and_comes_back_as_it_was() {
    let world = World::with_phantoms();
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let model = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
    succeed(&world, &format!("convert model --to v2 -i {model}"));
    let made = format!("results2/{DATASET}/nnUNetTrainer__nnUNetPlansSmall__3d_fullres");
    for (folder, output) in [(model, "by_v1"), (made.as_str(), "by_v2")] {
        let images = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
        succeed(&world, &format!("predict -i {images} -o {output} --model_folder {folder} --disable_tta"));
    }
    for case in ["phantom_006.nii.gz", "phantom_007.nii.gz"] {
        let [a, b] =
            ["by_v1", "by_v2"].map(|output| nifti::read(&world.path(output).join(case)).unwrap().data);
        let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
        assert!(equal >= SAME, "{case}: {equal} of the voxels are equal");
    }
    let (code, text) = run(&world, &format!("convert model --to v2 -i {model}"));
    assert!(code == 1 && text.contains("exists; remove it first"), "{text}");
    succeed(&world, &format!("convert model --to v1 -i {made} -o back/3d_fullres/Task900_Phantom/x__y"));
    let [before, after] = [model, "back/3d_fullres/Task900_Phantom/x__y"]
        .map(|folder| weights(&world.path(folder).join("fold_0/model_final_checkpoint.model")));
    assert!(!before.is_empty() && before == after);
}

/// Parameters by name, sorted.
fn weights(path: &Path) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let checkpoint = torch_zip::load(path).unwrap();
    let state = checkpoint.root.get("state_dict").and_then(|state| state.entries()).unwrap().to_vec();
    let mut found: Vec<_> = state
        .into_iter()
        .map(|(name, value)| {
            let nnunet_formats::pickle::Value::Tensor(index) = value else { panic!("{name:?}") };
            let tensor = &checkpoint.tensors[index];
            (name.as_str().unwrap().to_owned(), tensor.shape.clone(), tensor.to_f32().unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn plans_and_data_sets_go_both_ways() {
    let world = World::with_phantoms();
    std::fs::create_dir_all(world.path("raw2")).unwrap();
    succeed(&world, "convert dataset --to v2 -i 900");
    assert!(world.path(&format!("raw2/{DATASET}/imagesTr")).is_dir());
    succeed(&world, "convert dataset --to v1 -i 900 -o again");
    assert!(world.path("again/Task900_Phantom/dataset.json").is_file());
    succeed(&world, "convert dataset --to v1 -i 900 -d Task905_Other -o again");
    assert!(world.path("again/Task905_Other/dataset.json").is_file());
    for (line, said) in [
        ("convert dataset --to v1 -i 900 -d Other -o again", "must have the form TaskXXX_NAME"),
        ("convert dataset --to v2 -i 900 -d Dataset905_Other -o again", "-o is for tasks of v1"),
    ] {
        let (code, text) = run(&world, line);
        assert!(code == 1 && text.contains(said), "{line}: {text}");
    }
    succeed(&world, "convert plans --to v2 -i 900 -p nnUNetPlansSmall");
    let made = world.path(&format!("preprocessed/{DATASET}/nnUNetPlansSmall.json"));
    let plans = json::load(&made).unwrap();
    let network =
        plans.get("configurations").and_then(|all| all.get("3d_fullres")?.get("architecture")).unwrap();
    assert!(network.get("network_class_name").unwrap().as_str().unwrap().ends_with("PlainConvUNet"));
    // v2 preprocesses by them.
    let raw = world.path(&format!("raw2/{DATASET}/dataset.json"));
    std::fs::copy(raw, world.path(&format!("preprocessed/{DATASET}/dataset.json"))).unwrap();
    succeed(&world, "convert plans --to v1 -i 900 -p nnUNetPlansSmall -d Task901_Other");
    let text = world.succeed(
        "plans diff preprocessed/Task900_Phantom/nnUNetPlansSmall_plans_3D.pkl \
         preprocessed/Task901_Other/nnUNetPlansSmall_plans_3D.pkl",
    );
    for key in ["patch_size", "base_num_features", "pool_op_kernel_sizes", "current_spacing", "batch_size"] {
        assert!(!text.contains(key), "{text}");
    }
    let (code, text) = run(&world, "convert plans --to v2 -i 900 -p nnUNetPlansSmall");
    assert!(code == 1 && text.contains("exists; remove it first"), "{text}");
    let (code, text) = run(&world, "convert plans --to v2 -i 900 -p Other");
    assert!(code == 1 && text.contains("no plans called Other"), "{text}");
}
