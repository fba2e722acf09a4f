//! `verify`: faults of a data set and their repair.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::{json, nifti};
use nnunet_tests::{World, contents};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";

/// Labels of 0 / 255, a label that lies elsewhere, an image without channel number and a broken case are all reported,
/// and the repaired copy is fit for use.
#[test]
fn faults_are_found_together_and_a_copy_is_repaired() {
    let world = World::with_raw_phantoms(6);
    let label = |case: usize| world.path(&format!("{RAW}/labelsTr/phantom_{case:03}.nii.gz"));
    let image = |case: usize| world.path(&format!("{RAW}/imagesTr/phantom_{case:03}_0000.nii.gz"));
    for case in 0..6 {
        let read = nifti::read(&label(case)).unwrap();
        let values = read.data.mapv(|value| [0, 127, 255][value as usize]);
        nifti::write_labels(&label(case), values.view(), &read.geometry).unwrap();
    }
    let mut moved = nifti::read(&label(1)).unwrap();
    moved.geometry.origin[2] += 3.0;
    nifti::write_labels(&label(1), moved.data.mapv(|value| value as u8).view(), &moved.geometry).unwrap();
    std::fs::rename(image(2), world.path(&format!("{RAW}/imagesTr/phantom_002.nii.gz"))).unwrap();
    std::fs::write(image(3), b"no image").unwrap();
    std::fs::copy(image(4), image(5)).unwrap();
    std::fs::copy(label(4), label(5)).unwrap();
    let before = contents(&world.path(RAW));

    let outcome = world.run("--json verify 900");
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    for part in [
        r#""kind":"undeclared_label""#,
        r#""kind":"origin","file":"imagesTr/phantom_001_0000.nii.gz""#,
        "up to 3.000 mm",
        r#""kind":"name_without_channel","file":"imagesTr/phantom_002.nii.gz""#,
        r#""kind":"unreadable","file":"imagesTr/phantom_003_0000.nii.gz""#,
        r#""kind":"duplicate_image","file":"imagesTr/phantom_005_0000.nii.gz""#,
    ] {
        assert!(outcome.text.contains(part), "{part} is missing in: {}", outcome.text);
    }
    let advice = world.run("verify 900").text;
    let folder = world.path(RAW).display().to_string();
    assert!(advice.contains(&format!("errors; `nnunet verify {folder} --fix` proposes repairs")), "{advice}");
    let proposed = world.run(&format!("verify {folder} --fix"));
    assert_eq!(proposed.code, 1);
    assert!(proposed.text.contains("repair: replace label values"), "{}", proposed.text);
    assert_eq!(contents(&world.path("raw")).len(), before.len(), "something was written without --yes");

    world.succeed("verify 900 --fix --yes");
    assert_eq!(contents(&world.path(RAW)), before, "the original was touched");
    world.succeed("verify 901");
    let repaired = world.path("raw/nnUNet_raw_data/Task901_PhantomRepaired");
    let kept = json::load(&repaired.join("repairs.json")).unwrap();
    let map = kept.get("label_map").unwrap();
    assert_eq!(map.get("255").and_then(json::Json::as_f64), Some(2.0));
    assert_eq!(contents(&repaired.join("labelsTr")).len(), 5, "the broken case is left out");
    let fixed = nifti::read(&repaired.join("labelsTr/phantom_001.nii.gz")).unwrap();
    assert_eq!(fixed.geometry, nifti::read_geometry(&image(1)).unwrap());
    assert_eq!(fixed.data, moved.data.mapv(|value| [0.0, 1.0, 2.0][(value / 127.0) as usize]));
}
