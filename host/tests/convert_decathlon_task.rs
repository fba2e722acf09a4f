//! `convert_decathlon_task` and `plot_task_pngs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::nifti;
use nnunet_test_support::files;
use nnunet_tests::World;

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

/// What is wrong with the folder is said before anything is written.
#[test]
fn folders_that_are_no_decathlon_task_are_refused() {
    let world = World::new();
    decathlon(&world);
    let refused = |said: &str| {
        let outcome = world.run("convert_decathlon_task -i Task07_Ball");
        assert!(outcome.code == 1 && outcome.text.contains(said), "{said}: {}", outcome.text);
        assert!(!world.path("raw/nnUNet_raw_data/Task007_Ball").exists(), "{said}");
    };
    let rename = |from: &str, to: &str| {
        std::fs::rename(world.path("Task07_Ball").join(from), world.path("Task07_Ball").join(to)).unwrap();
    };
    rename("labelsTr", "labels");
    refused("has no folder labelsTr");
    rename("labels", "labelsTr");
    rename("dataset.json", "data.json");
    refused("has no dataset.json");
    rename("data.json", "dataset.json");
    for image in files(&world.path("Task07_Ball/imagesTr"), ".nii.gz") {
        std::fs::rename(&image, image.to_string_lossy().replace(".nii.gz", ".nii")).unwrap();
    }
    refused("has no files that end in .nii.gz, but phantom_000.nii");
    for image in files(&world.path("Task07_Ball/imagesTr"), ".nii") {
        std::fs::rename(&image, image.to_string_lossy().replace(".nii", ".v1.NII.GZ")).unwrap();
    }
    refused("imagesTr/phantom_000.nii.gz is missing");
    for label in files(&world.path("Task07_Ball/labelsTr"), ".nii.gz") {
        std::fs::rename(&label, label.to_string_lossy().replace(".nii", ".v1.nii")).unwrap();
    }
    let description = std::fs::read_to_string(world.path("Task07_Ball/dataset.json")).unwrap();
    let mut description: serde_json::Value = serde_json::from_str(&description).unwrap();
    let training = description["training"].to_string().replace(".nii", ".v1.nii");
    description["training"] = serde_json::from_str(&training).unwrap();
    world.write("Task07_Ball/dataset.json", &description.to_string());
    world.succeed("convert_decathlon_task -i Task07_Ball");
    let images = files(&world.path("raw/nnUNet_raw_data/Task007_Ball/imagesTr"), ".v1_0000.nii.gz");
    assert_eq!(images.len(), 5);
}

#[test]
fn everything_that_an_incomplete_task_lacks_is_named_together() {
    let world = World::new();
    decathlon(&world);
    std::fs::remove_file(world.path("Task07_Ball/labelsTr/phantom_000.nii.gz")).unwrap();
    std::fs::remove_file(world.path("Task07_Ball/imagesTr/phantom_001.nii.gz")).unwrap();
    world.write("Task07_Ball/imagesTr/phantom_002.nii.gz", "junk");
    let outcome = world.run("convert_decathlon_task -i Task07_Ball");
    let missing = ["labelsTr/phantom_000.nii.gz is missing", "imagesTr/phantom_001.nii.gz is missing"];
    for part in missing.into_iter().chain(["3 of ", "phantom_002.nii.gz: "]) {
        assert!(outcome.code == 1 && outcome.text.contains(part), "{part}: {}", outcome.text);
    }
    assert!(!world.path("raw/nnUNet_raw_data/Task007_Ball").exists());
}

#[test]
fn a_case_with_other_channels_than_the_task_is_named() {
    let world = World::new();
    decathlon(&world);
    let description = std::fs::read_to_string(world.path("Task07_Ball/dataset.json")).unwrap();
    let mut description: serde_json::Value = serde_json::from_str(&description).unwrap();
    description["modality"] = serde_json::json!({ "0": "T1", "1": "T2" });
    world.write("Task07_Ball/dataset.json", &description.to_string());
    let outcome = world.run("convert_decathlon_task -i Task07_Ball");
    assert!(outcome.code == 1 && outcome.text.contains("names 2 modalities"), "{}", outcome.text);
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
    let inside =
        world.command("convert_decathlon_task -i .").current_dir(world.path("Task07_Ball")).output().unwrap();
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stderr));
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
