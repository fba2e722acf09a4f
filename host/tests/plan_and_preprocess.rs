//! `plan_and_preprocess`: reruns, interruptions, little memory, planners and preprocessors of plugins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use nnunet_formats::{nifti, npz, pickle};
use nnunet_tests::{World, contents, plugin};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const CROPPED: &str = "raw/nnUNet_cropped_data/Task900_Phantom";
const PREPROCESSED: &str = "preprocessed/Task900_Phantom";

fn modified(path: &Path) -> SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn a_rerun_makes_only_what_changed() {
    let world = World::with_raw_phantoms(5);
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

/// Number of files below a folder; none if it does not exist yet.
fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

/// Kills a program as soon as `files` files exist; whether it was still running then.
fn kill_at(mut child: Child, files: usize, count: impl Fn() -> usize) -> bool {
    while count() < files && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let running = child.try_wait().unwrap().is_none();
    child.kill().ok();
    child.wait().unwrap();
    running
}

/// Killed at many moments and run again, the folders hold the same bytes as after one undisturbed run.
#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let world = World::with_raw_phantoms(12);
    let line = "plan_and_preprocess -t 900 -tf 2";
    let folders = [world.path(PREPROCESSED), world.path(CROPPED)];
    let all = || folders.each_ref().map(|folder| contents(folder));
    world.succeed(line);
    let undisturbed = all();
    let files: usize = undisturbed.iter().map(|files| files.len()).sum();
    folders.iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
    let mut hits = 0;
    for eighth in 0..8 {
        let child = world.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = kill_at(child, files * eighth / 8, || folders.iter().map(|folder| count(folder)).sum());
        hits += usize::from(running);
    }
    assert!(hits >= 4, "only {hits} of 8 runs were killed before they ended");
    world.succeed(line);
    for (resumed, undisturbed) in all().iter().zip(&undisturbed) {
        assert_eq!(resumed.keys().collect::<Vec<_>>(), undisturbed.keys().collect::<Vec<_>>());
        for (path, bytes) in undisturbed {
            assert!(resumed[path] == *bytes, "{} differs", path.display());
        }
    }
}

#[test]
fn memory_may_be_scarce() {
    let world = World::with_raw_phantoms(5);
    world.succeed("plan_and_preprocess -t 900 -pl2d None --max-ram 1M -tf 2");
    let outcome = world.run("plan_and_preprocess -t 900 --max-ram plenty");
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.text.contains("`plenty` is not a size; write for example 8G or 512M"),
        "{}",
        outcome.text
    );
}

/// A planner and a preprocessor of third parties, named with -pl3d, without libtorch.
#[test]
fn planners_and_preprocessors_come_from_plugins() {
    for name in ["my_planner", "my_preprocessor"] {
        let bytes = std::fs::read(plugin(name)).unwrap();
        let needed = b"libtorch_cpu.so";
        assert!(!bytes.windows(needed.len()).any(|at| at == needed), "{name} is linked with libtorch");
    }
    let world = World::with_raw_phantoms(5);
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

/// Three jobs that share a CT task, one of which is killed and run again, leave the files of one job.
#[test]
fn parts_make_what_one_job_makes() {
    let world = World::with_raw_phantoms(7);
    let description = world.path(&format!("{RAW}/dataset.json"));
    let text = std::fs::read_to_string(&description).unwrap();
    let with_ct = text.replace("\"phantom\"", "\"CT\"");
    assert_ne!(text, with_ct, "{text}");
    std::fs::write(&description, with_ct).unwrap();
    let line = "plan_and_preprocess -t 900 -tl 1 -tf 1";
    let folders = [CROPPED, PREPROCESSED];
    let made = || folders.map(|folder| contents(&world.path(folder)));
    world.succeed(line);
    let whole = made();
    for folder in folders {
        std::fs::remove_dir_all(world.path(folder)).unwrap();
    }
    let part = |index: usize| format!("{line} --num_parts 3 --part_id {index}");
    assert!(world.succeed(&part(0)).contains("4 of 7 cases are left to crop"));
    let mut killed = world.command(&part(1)).spawn().unwrap();
    let first = world.path(folders[0]).join("phantom_001.npz");
    while !first.is_file() {
        assert!(killed.try_wait().unwrap().is_none_or(|status| status.success()), "it has failed");
        std::thread::sleep(Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    world.succeed(&part(2));
    // The last part that crops plans; those that run again find the plans.
    world.succeed(&part(1));
    let variables =
        [("SLURM_ARRAY_TASK_COUNT", "3"), ("SLURM_ARRAY_TASK_ID", "6"), ("SLURM_ARRAY_TASK_MIN", "2")];
    let variables = [&variables[..], &[("SLURM_ARRAY_TASK_STEP", "2")]].concat();
    let outcome = world.run_with(&format!("{line} --num_parts slurm --part_id slurm"), &variables);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    world.succeed(&part(0));
    let parts = made();
    for (parts, whole) in parts.iter().zip(&whole) {
        assert_eq!(parts.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
        for (path, bytes) in whole {
            assert!(parts[path] == *bytes, "{} differs", path.display());
        }
    }
}

/// As for v1: three jobs that share a data set of v2, one of which is killed and run again, leave the files of one job.
#[test]
fn parts_of_a_data_set_of_v2_make_what_one_job_makes() {
    let world = World::new();
    world.succeed("example-dataset -o old --train 7 --test 0");
    let folders = ["nnUNet_raw", "nnUNet_preprocessed"].map(|name| (name, world.path(name)));
    let folders = folders.each_ref().map(|(name, path)| (*name, path.to_str().unwrap()));
    let run = |line: &str| {
        let outcome = world.run_with(line, &folders);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text
    };
    run("v2 convert_old_nnUNet_dataset old/Task900_Phantom Dataset900_Phantom");
    let line = "v2 plan_and_preprocess -d 900 -c 2d 3d_fullres -np 1 -npfp 1";
    let made = || contents(&world.path("nnUNet_preprocessed"));
    run(line);
    let whole = made();
    std::fs::remove_dir_all(world.path("nnUNet_preprocessed")).unwrap();
    let part = |index: usize| format!("{line} --num_parts 3 --part_id {index}");
    assert!(run(&part(0)).contains("4 cases are left to read"));
    let killed = |index: usize, made: &dyn Fn() -> bool| {
        let mut child = world.command(&part(index)).envs(folders).spawn().unwrap();
        while !made() {
            assert!(child.try_wait().unwrap().is_none_or(|status| status.success()), "it has failed");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let preprocessed = world.path("nnUNet_preprocessed/Dataset900_Phantom");
    killed(1, &|| preprocessed.join("fingerprint_parts/phantom_001.json").is_file());
    run(&part(2));
    run(&part(1));
    killed(0, &|| preprocessed.join("nnUNetPlans_2d").is_dir());
    (0..3).for_each(|index| drop(run(&part(index))));
    let parts = made();
    assert_eq!(parts.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (path, bytes) in &whole {
        assert!(parts[path] == *bytes, "{} differs", path.display());
    }
}
