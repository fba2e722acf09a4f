//! Images that lie unlike those of the training, or have other spacings or intensities: they are named, and turned with
//! `--reorient`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use nnunet_data::orientation::Orientation;
use nnunet_formats::nifti::{self, Image};
use nnunet_tests::World;
use serde_json::Value;

const TESTS: &str = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
const CASE: &str = "phantom_006";

fn read(world: &World, folder: &str, name: &str) -> Image {
    nifti::read(&world.path(&format!("{folder}/{name}.nii.gz"))).unwrap()
}

/// A folder with a test image that was changed.
fn changed(world: &World, folder: &str, change: impl Fn(Image) -> Image) {
    let image = change(read(world, TESTS, &format!("{CASE}_0000")));
    std::fs::create_dir_all(world.path(folder)).unwrap();
    let path = world.path(&format!("{folder}/{CASE}_0000.nii.gz"));
    nifti::write_image(&path, image.data.view(), &image.geometry).unwrap();
}

/// The same image with its axes in other directions.
fn turned(image: Image) -> Image {
    let turn = Orientation::of(&image.geometry).towards(&Orientation::from_letters("SRA").unwrap());
    Image { data: turn.turned(image.data.view()), geometry: turn.geometry(&image.geometry) }
}

/// Predicts with `--reorient` what `like` has the prediction of, turned: the labels must lie at the same places.
fn predicts_turned(world: &World, line: &str, like: &str) {
    changed(world, "turned", turned);
    let text = world.succeed(&format!("{line} -i turned -o back --reorient"));
    assert!(text.contains(&format!("{CASE}: turned to LPS")) && !text.contains("unlike"), "{text}");
    let (expected, found) = (read(world, like, CASE), read(world, "back", CASE));
    let image = read(world, "turned", &format!("{CASE}_0000"));
    assert_eq!(found.geometry, image.geometry);
    let back = Orientation::of(&found.geometry).towards(&Orientation::of(&expected.geometry));
    assert_eq!(back.turned(found.data.view()), expected.data);
    assert!(expected.data.iter().any(|label| *label > 0.0), "the model predicts nothing");
    let left: Vec<_> = std::fs::read_dir(world.path("back")).unwrap().flatten().collect();
    let is_hidden = |name: &Path| name.to_string_lossy().starts_with('.');
    assert!(!left.iter().any(|file| is_hidden(Path::new(&file.file_name()))), "{left:?}");
}

#[test]
fn unlike_images_are_named_and_turned() {
    let world = World::with_phantoms();
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let model = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
    let line = format!("predict --model_folder {model} --disable_tta");
    let text = world.succeed(&format!("{line} -i {TESTS} -o plain"));
    assert!(!text.contains("unlike"), "{text}");
    predicts_turned(&world, &line, "plain");

    let text = world.succeed(&format!("{line} -i turned -o as_it_is"));
    let wanted = format!(
        "{CASE} is unlike the training images: its orientation is SRA, that of the training images LPS"
    );
    assert!(text.contains(&wanted) && text.contains("--reorient"), "{text}");
    changed(&world, "scaled", |image| Image { data: image.data / 1000.0, ..image });
    let text = world.succeed(&format!("{line} -i scaled -o scaled_labels"));
    assert!(text.contains("the intensities of channel 0 (phantom) are"), "{text}");
    let record = std::fs::read_to_string(world.path("scaled_labels/predictions.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let unlike = &record["cases"][CASE]["unlike_training"];
    assert!(unlike[0].as_str().is_some_and(|text| text.contains("intensities")), "{record}");
    changed(&world, "coarse", |mut image| {
        image.geometry.spacing[0] = 4.0;
        image
    });
    let text = world.succeed(&format!("{line} -i coarse -o coarse_labels"));
    assert!(text.contains("its spacing is 4 mm (left-right), where the training images have 1 mm"), "{text}");

    let refused = world.run(&format!("{line} -i turned -o no -z --reorient"));
    assert!(refused.code == 1 && refused.text.contains("leave out -z"), "{}", refused.text);
    // As models of Python are.
    std::fs::remove_file(world.path(&format!("{model}/training_images.json"))).unwrap();
    let text = world.succeed(&format!("{line} -i turned -o not_known"));
    assert!(!text.contains("unlike"), "{text}");
    let refused = world.run(&format!("{line} -i turned -o no --reorient"));
    assert!(refused.text.contains("does not say how its training images lie"), "{}", refused.text);
}

#[test]
fn models_of_v2_turn_images_too() {
    let world = World::with_phantoms_of_v2();
    world.succeed("v2 train 900 3d_fullres 0 -p nnUNetPlansSmall -tr Short");
    let model = "nnUNet_results/Dataset900_Phantom/Short__nnUNetPlansSmall__3d_fullres";
    let line = format!("predict --model_folder {model} --disable_tta");
    let text = world.succeed(&format!("{line} -i {TESTS} -o plain"));
    assert!(!text.contains("unlike"), "{text}");
    predicts_turned(&world, &line, "plain");
}
