//! From raw data to preprocessed cases: faults and repairs, planners of third parties, reruns and kills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nnunet_formats::{json, nifti, npz, pickle};
use nnunet_tests::{World, plugin, programs};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const CROPPED: &str = "raw/nnUNet_cropped_data/Task900_Phantom";
const PREPROCESSED: &str = "preprocessed/Task900_Phantom";

fn phantoms(count: usize) -> World {
    let world = World::new();
    world.succeed(&format!("example-dataset -o raw/nnUNet_raw_data --train {count} --test 1"));
    world
}

/// All files below a folder with their bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn modified(path: &Path) -> SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

/// Labels of 0 / 255, a label that lies elsewhere, an image without channel number and a broken case are all reported,
/// and the repaired copy is fit for use.
#[test]
fn faults_are_found_together_and_a_copy_is_repaired() {
    let world = phantoms(6);
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
    let proposed = world.run("verify 900 --fix");
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

#[test]
fn a_rerun_makes_only_what_changed() {
    let world = phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None");
    let stage = world.path(&format!("{PREPROCESSED}/nnUNetData_plans_v2.1_stage0"));
    let case = |i: usize| stage.join(format!("phantom_{i:03}.npz"));
    let times: Vec<SystemTime> = (0..5).map(|i| modified(&case(i))).collect();
    let before = contents(&stage);
    std::thread::sleep(Duration::from_millis(20));
    world.succeed("plan_and_preprocess -t 900 -pl2d None");
    assert_eq!((0..5).map(|i| modified(&case(i))).collect::<Vec<_>>(), times);

    // One voxel of one case changes; neither fingerprint nor plans of this MRI task do.
    let image = world.path(&format!("{RAW}/imagesTr/phantom_002_0000.nii.gz"));
    let mut changed = nifti::read(&image).unwrap();
    changed.data[[3, 3, 3]] += 5.0;
    nifti::write_image(&image, changed.data.view(), &changed.geometry).unwrap();
    world.succeed("plan_and_preprocess -t 900 -pl2d None");
    for i in 0..5 {
        assert_eq!(modified(&case(i)) != times[i], i == 2, "case {i}");
    }
    assert_ne!(contents(&stage)[&case(2)], before[&case(2)]);

    // A case that Python cropped has no key and is kept, as v1 keeps it.
    std::fs::remove_file(world.path(&format!("{CROPPED}/phantom_001.key"))).unwrap();
    let cropped = world.path(&format!("{CROPPED}/phantom_001.npz"));
    let time = modified(&cropped);
    world.succeed("plan_and_preprocess -t 900 -pl2d None");
    assert_eq!(modified(&cropped), time);
}

/// Killed at many moments and run again, the folders hold the same bytes as after one undisturbed run.
#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let world = phantoms(12);
    let line = "plan_and_preprocess -t 900 -tf 2";
    for milliseconds in [5, 15, 30, 60, 100, 150, 220] {
        let mut child = Command::new(programs().join("nnunet"))
            .args(line.split(' '))
            .current_dir(world.path(""))
            .env("nnUNet_raw_data_base", world.path("raw"))
            .env("nnUNet_preprocessed", world.path("preprocessed"))
            .env("RESULTS_FOLDER", world.path("results"))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    world.succeed(line);
    let resumed = [contents(&world.path("preprocessed")), contents(&world.path(CROPPED))];
    for folder in ["preprocessed/Task900_Phantom", CROPPED] {
        std::fs::remove_dir_all(world.path(folder)).unwrap();
    }
    world.succeed(line);
    let fresh = [contents(&world.path("preprocessed")), contents(&world.path(CROPPED))];
    for (resumed, fresh) in resumed.iter().zip(&fresh) {
        assert_eq!(resumed.keys().collect::<Vec<_>>(), fresh.keys().collect::<Vec<_>>());
        for (path, bytes) in fresh {
            assert!(resumed[path] == *bytes, "{} differs", path.display());
        }
    }
}

#[test]
fn memory_may_be_scarce() {
    let world = phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None --max-ram 1M -tf 2");
    let outcome = world.run("plan_and_preprocess -t 900 --max-ram plenty");
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.text.contains("`plenty` is not a size; write for example 8G or 512M"),
        "{}",
        outcome.text
    );
}

#[test]
fn plans_are_shown_changed_and_compared() {
    let world = phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None -no_pp");
    let shown = world.succeed("plans show 900");
    assert!(shown.contains("patch        ["), "{shown}");
    let file = format!("{PREPROCESSED}/nnUNetPlansv2.1_plans_3D.pkl");
    let wrong = world.run("plans edit 900 --set plans_per_stage.0.patch_size=[33,33,33]");
    assert_eq!(wrong.code, 1);
    assert!(wrong.text.contains("must be divisible by"), "{}", wrong.text);
    world.succeed("plans edit 900 --set plans_per_stage.0.batch_size=7 base_num_features=8 -o other.pkl");
    let difference = world.succeed(&format!("plans diff {file} other.pkl"));
    assert!(difference.contains("plans_per_stage.0.batch_size: "), "{difference}");
    assert!(
        difference.contains(" -> 7\n") && difference.contains("base_num_features: 32 -> 8"),
        "{difference}"
    );
    assert_eq!(difference.lines().count(), 2, "{difference}");
    let written = pickle::load(&world.path("other.pkl")).unwrap();
    assert_eq!(written.get("base_num_features").and_then(pickle::Value::as_i64), Some(8));
    let twin = json::load(&world.path("other.json")).unwrap();
    assert_eq!(twin.get("base_num_features").and_then(json::Json::as_f64), Some(8.0));
}

#[test]
fn the_plans_of_another_task_can_be_taken_over() {
    let world = phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None -no_pp");
    world.succeed(&format!(
        "plans edit 900 --set plans_per_stage.0.current_spacing=[2.0,2.0,2.0] -o {PREPROCESSED}/other.pkl"
    ));
    let alone = world.run("plan_and_preprocess -t 900 -pl3d ExperimentPlanner3D_v21_Pretrained -pl2d None");
    assert!(alone.text.contains("needs -overwrite_plans FILE"), "{}", alone.text);
    world.succeed(&format!(
        "plan_and_preprocess -t 900 -pl3d ExperimentPlanner3D_v21_Pretrained -pl2d None \
         -overwrite_plans {PREPROCESSED}/other.pkl -overwrite_plans_identifier FINE"
    ));
    let plans =
        pickle::load(&world.path(&format!("{PREPROCESSED}/nnUNetPlans_pretrained_FINE_plans_3D.pkl")))
            .unwrap();
    let identifier = plans.get("data_identifier").and_then(pickle::Value::as_str);
    assert_eq!(identifier, Some("nnUNetData_pretrained_FINE"));
    let case = world.path(&format!("{PREPROCESSED}/nnUNetData_pretrained_FINE_stage0/phantom_000.npz"));
    let original =
        nifti::read_geometry(&world.path(&format!("{RAW}/imagesTr/phantom_000_0000.nii.gz"))).unwrap();
    let (_, z, _, _) = npz::load_f32(&case, "data").unwrap().dim();
    assert!(z < original.size[2], "{z} slices of {:?}", original.size);
}

/// A planner and a preprocessor of third parties, named with -pl3d, without libtorch.
#[test]
fn planners_and_preprocessors_come_from_plugins() {
    for name in ["my_planner", "my_preprocessor"] {
        let bytes = std::fs::read(plugin(name)).unwrap();
        let needed = b"libtorch_cpu.so";
        assert!(!bytes.windows(needed.len()).any(|at| at == needed), "{name} is linked with libtorch");
    }
    let world = phantoms(5);
    let with = |name: &str| format!("--plugin {}", plugin(name).display());
    world.succeed(&format!(
        "{} plan_and_preprocess -t 900 -pl3d MyPlanner -pl2d None -no_pp",
        with("my_planner")
    ));
    let plans = pickle::load(&world.path(&format!("{PREPROCESSED}/nnUNetPlansCubes_plans_3D.pkl"))).unwrap();
    let stage = &plans.get("plans_per_stage").and_then(pickle::Value::entries).unwrap()[0].1;
    let spacing = stage.get("current_spacing").and_then(pickle::Value::to_f64_vec).unwrap();
    assert!(spacing.iter().all(|mm| *mm == spacing[0]), "{spacing:?}");

    world.succeed(&format!(
        "{} plan_and_preprocess -t 900 -pl3d RankPlanner -pl2d None",
        with("my_preprocessor")
    ));
    let case = world.path(&format!("{PREPROCESSED}/nnUNetData_rank_stage0/phantom_000.npz"));
    let data = npz::load_f32(&case, "data").unwrap();
    let ranks = data.index_axis(ndarray::Axis(0), 0);
    assert!(ranks.iter().all(|rank| (0.0..1.0).contains(rank)));
    assert!((ranks.mean().unwrap() - 0.5).abs() < 0.2, "mean rank {}", ranks.mean().unwrap());
}
