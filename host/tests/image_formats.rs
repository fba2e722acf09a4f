//! Kinds around images, from a plugin: a data set in another file format, a normalization by name, and a logger. And
//! data sets in the formats that the program knows itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use ndarray::{Array3, Array4};
use nnunet_formats::{nifti, npz, nrrd};
use nnunet_tests::{World, copy_folder, plugin};

/// A NIfTI file as an uncompressed MetaImage.
fn to_meta_image(from: &Path, to: &Path) {
    let image = nifti::read(from).unwrap();
    let words = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    let geometry = &image.geometry;
    let by_column: Vec<f64> = (0..9).map(|i| geometry.direction[i % 3 * 3 + i / 3]).collect();
    let [x, y, z] = geometry.size;
    let header = format!(
        "ObjectType = Image\nNDims = 3\nTransformMatrix = {}\nOffset = {}\nElementSpacing = {}\nDimSize = {x} {y} {z}\n\
         ElementType = MET_FLOAT\nElementDataFile = LOCAL\n",
        words(&by_column),
        words(&geometry.origin),
        words(&geometry.spacing)
    );
    let voxels = image.data.iter().flat_map(|value| value.to_le_bytes());
    let bytes: Vec<u8> = header.into_bytes().into_iter().chain(voxels).collect();
    std::fs::write(to, bytes).unwrap();
}

fn to_nrrd(from: &Path, to: &Path) {
    let image = nifti::read(from).unwrap();
    nrrd::write_image(to, image.data.view(), &image.geometry).unwrap();
}

/// The phantoms again as another task, in files with another ending.
fn data_set(world: &World, task: &str, ending: &str, convert: fn(&Path, &Path)) {
    let raw = world.path("raw/nnUNet_raw_data").join(task);
    copy_folder(&world.path("raw/nnUNet_raw_data/Task900_Phantom"), &raw);
    for folder in ["imagesTr", "labelsTr", "imagesTs"] {
        for entry in std::fs::read_dir(raw.join(folder)).unwrap().flatten() {
            let path = entry.path();
            convert(&path, Path::new(&path.to_string_lossy().replace(".nii.gz", ending)));
            std::fs::remove_file(&path).unwrap();
        }
    }
    let json = std::fs::read_to_string(raw.join("dataset.json")).unwrap();
    let json = json.replace(".nii.gz", ending).replacen('{', &format!("{{\"file_ending\": \"{ending}\","), 1);
    std::fs::write(raw.join("dataset.json"), json).unwrap();
}

fn preprocessed(world: &World, task: &str) -> (Array4<f32>, Array3<f32>) {
    let file = format!("preprocessed/{task}/nnUNetData_plans_v2.1_stage0/phantom_000.npz");
    npz::load_case(&world.path(&file)).unwrap()
}

#[test]
fn a_data_set_of_another_format_is_trained_on_and_predicted_like_the_same_one_in_nifti() {
    let world = World::with_phantoms();
    data_set(&world, "Task901_Meta", ".mha", to_meta_image);
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &(toml + "\n[loggers.CsvLogger]\nseparator = \";\"\n"));
    let with = format!("--plugin {} ", plugin("my_imaging").display());
    world.succeed(&(with.clone() + "plan_and_preprocess -t 901 -pl3d Small -pl2d None -tl 2 -tf 2"));
    assert_eq!(preprocessed(&world, "Task901_Meta"), preprocessed(&world, "Task900_Phantom"));

    world.succeed(
        &(with.clone()
            + "train 3d_fullres Short Task901_Meta 0 -p nnUNetPlansSmall --disable_validation_inference"),
    );
    let model = world.path("results/nnUNet/3d_fullres/Task901_Meta/Short__nnUNetPlansSmall");
    let log = std::fs::read_to_string(model.join("fold_0/epochs.csv")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], "epoch;train_loss;validation_loss;metric;learning_rate");
    assert!(lines.len() == 3 && lines[1].starts_with("0;") && lines[2].starts_with("1;"), "{log}");

    for (input, output) in [("Task901_Meta", "meta"), ("Task900_Phantom", "nifti")] {
        let images = format!("raw/nnUNet_raw_data/{input}/imagesTs");
        world.succeed(&format!(
            "{with}predict -i {images} -o {output} -t 901 -m 3d_fullres -f 0 -tr Short -p nnUNetPlansSmall --disable_tta"
        ));
    }
    for entry in std::fs::read_dir(world.path("meta")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".nii.gz") {
            let labels = |folder: &str| nifti::read(&world.path(folder).join(&name)).unwrap().data;
            assert_eq!(labels("meta"), labels("nifti"), "{name}");
        }
    }
}

#[test]
fn a_data_set_in_nrrd_needs_no_plugin() {
    let world = World::with_phantoms();
    data_set(&world, "Task902_Nrrd", ".nrrd", to_nrrd);
    world.succeed("plan_and_preprocess -t 902 -pl3d Small -pl2d None -tl 2 -tf 2 --verify_dataset_integrity");
    assert_eq!(preprocessed(&world, "Task902_Nrrd"), preprocessed(&world, "Task900_Phantom"));
}

fn to_pair(from: &Path, to: &Path) {
    let image = nifti::read(from).unwrap();
    nifti::write_image(to, image.data.view(), &image.geometry).unwrap();
}

/// Images of two files, named by their header: v1's pipeline, a repaired copy, and v2's reading give what they give
/// of NIfTI in one file.
#[test]
fn a_data_set_of_nifti_pairs_is_read_by_both_versions() {
    let world = World::with_phantoms();
    data_set(&world, "Task904_Pairs", ".hdr", to_pair);
    world.succeed("plan_and_preprocess -t 904 -pl3d Small -pl2d None -tl 2 -tf 2 --verify_dataset_integrity");
    assert_eq!(preprocessed(&world, "Task904_Pairs"), preprocessed(&world, "Task900_Phantom"));

    let raw = world.path("raw/nnUNet_raw_data/Task904_Pairs");
    for ending in ["hdr", "img"] {
        let extra = raw.join(format!("imagesTr/extra_0000.{ending}"));
        std::fs::copy(raw.join(format!("imagesTr/phantom_000_0000.{ending}")), extra).unwrap();
    }
    let outcome = world.run("verify 904 --fix --yes -o raw/nnUNet_raw_data/Task905_Repaired");
    assert!(outcome.text.contains("extra_0000.hdr"), "{}", outcome.text);
    let repaired = world.path("raw/nnUNet_raw_data/Task905_Repaired/imagesTr");
    assert!(!repaired.join("extra_0000.hdr").exists() && !repaired.join("extra_0000.img").exists());
    let [copy, original] = [&repaired, &raw.join("imagesTr")]
        .map(|folder| nifti::read(&folder.join("phantom_000_0000.hdr")).unwrap().data);
    assert_eq!(copy, original);
    for ending in ["hdr", "img"] {
        std::fs::remove_file(raw.join(format!("imagesTr/extra_0000.{ending}"))).unwrap();
    }

    for (name, task) in [("Dataset904_Pairs", "Task904_Pairs"), ("Dataset900_Phantom", "Task900_Phantom")] {
        let variables = ["nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"]
            .map(|name| (name, world.path(&format!("v2/{name}")).display().to_string()));
        let variables = variables.each_ref().map(|(name, folder)| (*name, folder.as_str()));
        let run = |line: &str| {
            let outcome = world.run_with(line, &variables);
            assert_eq!(outcome.code, 0, "{line}\n{}", outcome.text);
        };
        std::fs::create_dir_all(world.path("v2/nnUNet_raw")).unwrap();
        run(&format!("v2 convert_old_nnUNet_dataset raw/nnUNet_raw_data/{task} {name}"));
        run(&format!("v2 extract_fingerprint -d {name}"));
    }
    let fingerprint = |name: &str| {
        std::fs::read_to_string(
            world.path(&format!("v2/nnUNet_preprocessed/{name}/dataset_fingerprint.json")),
        )
        .unwrap()
    };
    assert_eq!(fingerprint("Dataset904_Pairs"), fingerprint("Dataset900_Phantom"));
}

#[test]
fn an_unknown_ending_names_the_known_ones() {
    let world = World::with_phantoms();
    data_set(&world, "Task903_Unknown", ".unknown", |from, to| {
        std::fs::copy(from, to).unwrap();
    });
    let outcome = world.run("plan_and_preprocess -t 903 -pl3d Small -pl2d None");
    assert_eq!(outcome.code, 1);
    let known = "no format reads it; known endings: .nii.gz, ";
    assert!(outcome.text.contains(known) && outcome.text.contains(".nrrd"), "{}", outcome.text);
}
