//! v1's commands around data sets and models: conversion, pictures, archives, published models, trainers' names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::{json, nifti, pickle};
use nnunet_test_support::{files, reference};
use nnunet_tests::{World, copy_folder};

/// v1's console commands, all of them.
const COMMANDS: [&str; 18] = [
    "convert_decathlon_task",
    "plan_and_preprocess",
    "train",
    "train_DP",
    "train_DDP",
    "predict",
    "ensemble",
    "find_best_configuration",
    "print_available_pretrained_models",
    "print_pretrained_model_info",
    "download_pretrained_model",
    "download_pretrained_model_by_url",
    "determine_postprocessing",
    "export_model_to_zip",
    "install_pretrained_model_from_zip",
    "change_trainer_class",
    "evaluate_folder",
    "plot_task_pngs",
];

#[test]
fn every_command_of_v1_has_a_link_and_help() {
    let world = World::new();
    world.succeed("aliases --dir links");
    for name in COMMANDS {
        let outcome = world.run_program(&world.path(&format!("links/nnUNet_{name}")), "-h", &[]);
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.text);
        assert!(outcome.text.contains("Usage"), "{name}: {}", outcome.text);
    }
}

/// A task of phantoms as the decathlon would publish it: images without channel numbers.
fn decathlon(world: &World) {
    world.succeed("example-dataset -o . --task Task07_Ball --train 5 --test 1");
    for folder in ["imagesTr", "imagesTs"] {
        for image in files(&world.path("Task07_Ball").join(folder), "_0000.nii.gz") {
            let name = image.to_string_lossy().replace("_0000.nii.gz", ".nii.gz");
            std::fs::rename(&image, name).unwrap();
        }
    }
    // What macOS leaves in the decathlon's archives.
    world.write("Task07_Ball/imagesTr/._phantom_000.nii.gz", "junk");
}

#[test]
fn decathlon_tasks_are_converted_and_drawn() {
    let world = World::new();
    decathlon(&world);
    world.succeed("convert_decathlon_task -i Task07_Ball/ -p 2");
    let task = world.path("raw/nnUNet_raw_data/Task007_Ball");
    assert_eq!(files(&task.join("imagesTr"), ".nii.gz").len(), 5);
    assert_eq!(files(&task.join("imagesTs"), "_0000.nii.gz").len(), 1);
    let [before, after] = [
        world.path("Task07_Ball/imagesTr/phantom_001.nii.gz"),
        task.join("imagesTr/phantom_001_0000.nii.gz"),
    ]
    .map(|path| nifti::read(&path).unwrap());
    assert_eq!(before.data, after.data);
    assert_eq!(before.geometry, after.geometry);
    // Again: the same input may be converted again, another task is not overwritten.
    world.succeed("convert_decathlon_task -i Task07_Ball -output_task_id 507");
    world.succeed("convert_decathlon_task -i Task07_Ball -output_task_id 507");
    world.write("raw/nnUNet_raw_data/Task507_Ball/dataset.json", "{}");
    let refused = world.run("convert_decathlon_task -i Task07_Ball -output_task_id 507");
    assert_eq!(refused.code, 1);
    assert!(refused.text.contains("was not made of this task"), "{}", refused.text);
    world.succeed("plot_task_pngs -t 7 -o raw_pictures --use_raw -num_processes 2");
    assert_eq!(files(&world.path("raw_pictures"), ".png").len(), 5);
    let early = world.run("plot_task_pngs -t 7 -o pictures");
    assert!(early.text.contains("run nnunet plan_and_preprocess"), "{}", early.text);
    world.succeed("plan_and_preprocess -t 7 -pl2d None");
    world.succeed("plot_task_pngs -t Task007_Ball -o pictures -modality_idx 0");
    assert_eq!(files(&world.path("pictures"), ".png").len(), 5);
    let channel = world.run("plot_task_pngs -t 7 -o pictures -modality_idx 3");
    assert!(channel.text.contains("there is no channel 3; channels: 0 to 0"), "{}", channel.text);
}

#[test]
fn models_change_hands() {
    let Some(root) = reference("model_v1", "exchange::models_change_hands") else { return };
    let model = "nnUNet/3d_fullres/Task004_Hippocampus/nnUNetTrainerV2_tiny__nnUNetPlansSmall";
    let world = World::new();
    copy_folder(&root.join("results").join(model), &world.path("results").join(model));
    let export = "export_model_to_zip -t Task004_Hippocampus -o out/model.zip -tr nnUNetTrainerV2_tiny -pl nnUNetPlansSmall";
    let strict = world.run(&format!("{export} -f 0 1"));
    assert_eq!(strict.code, 1);
    assert!(strict.text.contains("--disable_strict"), "{}", strict.text);
    world.succeed(&format!("{export} -f 0 1 --disable_strict"));
    let again = world.run(&format!("{export} -f 0 1 --disable_strict"));
    assert!(again.text.contains("exists already"), "{}", again.text);
    let elsewhere = world.path("elsewhere").display().to_string();
    let install = |line: &str| world.run_with(line, &[("RESULTS_FOLDER", elsewhere.as_str())]);
    let outcome = install("install_pretrained_model_from_zip out/model.zip");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    for file in
        ["fold_0/model_final_checkpoint.model", "fold_1/model_final_checkpoint.model.pkl", "plans.pkl"]
    {
        let [before, after] = ["results", "elsewhere"]
            .map(|root| std::fs::read(world.path(root).join(model).join(file)).unwrap());
        assert!(before == after, "{file}");
    }
    assert_eq!(install("install_pretrained_model_from_zip out/model.zip").code, 1);
    world.succeed(&format!("change_trainer_class -i elsewhere/{model} -tr nnUNetTrainerV2_noMirroring"));
    let path = world.path("elsewhere").join(model).join("fold_1/model_final_checkpoint.model.pkl");
    let value = pickle::load(&path).unwrap();
    assert_eq!(value.get("name").unwrap().as_str(), Some("nnUNetTrainerV2_noMirroring"));
}

#[test]
fn published_models_are_listed_and_never_fetched() {
    let world = World::new();
    let list = world.succeed("print_available_pretrained_models --export list");
    assert!(list.contains("Task029_LiTS") && list.contains("Channels: 0: T2, 1: ADC"), "{list}");
    let exported = json::load(&world.path("list/available_models.json")).unwrap();
    let url = exported.get("Task004_Hippocampus").unwrap().get("url").unwrap().as_str().unwrap();
    assert_eq!(url, "https://zenodo.org/record/4003545/files/Task004_Hippocampus.zip?download=1");
    assert!(world.succeed("print_pretrained_model_info Task135_KiTS2021").contains("5126443"));
    for line in [
        "download_pretrained_model Task004_Hippocampus".to_owned(),
        format!("download_pretrained_model_by_url {url}"),
    ] {
        let outcome = world.run(&line);
        assert_eq!(outcome.code, 1);
        assert!(
            outcome.text.contains("install_pretrained_model_from_zip 'Task004_Hippocampus.zip'"),
            "{}",
            outcome.text
        );
    }
    let unknown = world.run("print_pretrained_model_info Task999_X");
    assert!(unknown.text.contains("there is no published model `Task999_X`"), "{}", unknown.text);
}
