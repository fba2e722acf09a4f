//! `train_all`: all folds of several configurations as one job that may be killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nnunet_formats::torch_zip;
use nnunet_tests::{World, contents};

/// A trainer of seconds.
const TRAINERS: &str = r#"
[trainers.Tiny]
extends = "Short"
num_batches_per_epoch = 2
save_every = 1
"#;
const TRAIN_ALL: &str =
    "train_all 900 -m 2d 3d_fullres --tr Tiny -p nnUNetPlansSmall --devices cpu --jobs 2 -- --fp32";

fn planned() -> World {
    World::with_phantoms_in_2d(TRAINERS)
}

/// A JSON file without its time and the number made of it.
fn without_time(bytes: &[u8]) -> String {
    let mut value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    if let Some(entries) = value.as_object_mut().filter(|entries| entries.contains_key("timestamp")) {
        entries.remove("timestamp");
        entries.remove("id");
    }
    value.to_string()
}

/// What trainings and the choice between them leave, without logs and pictures; checkpoints without their compression.
fn results(world: &World) -> BTreeMap<PathBuf, String> {
    let root = world.path("results");
    let kept = ["model", "gz", "npz", "pkl", "csv", "json"];
    let with_times = ["debug.json", "training.json"];
    contents(&root.join("nnUNet"))
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|ending| kept.iter().any(|kept| ending == *kept)))
        .filter(|(path, _)| path.file_name().is_none_or(|name| with_times.iter().all(|other| name != *other)))
        .map(|(path, bytes)| {
            let ends_with = |other: &str| path.extension().is_some_and(|ending| ending == other);
            let text = if ends_with("model") {
                let checkpoint = torch_zip::load(&root.join("nnUNet").join(&path)).unwrap();
                format!("{:?} {:?}", checkpoint.root, checkpoint.tensors)
            } else if ends_with("json") {
                without_time(&bytes)
            } else {
                format!("{bytes:?}")
            };
            (path, text)
        })
        .collect()
}

fn started(world: &World) -> Child {
    let mut command: Command = world.command(TRAIN_ALL);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until so many trainings are recorded as done.
fn wait_for(world: &World, done: usize, child: &mut Child) {
    let folder = world.path("results/nnUNet/train_all/Task900_Phantom/Tiny__nnUNetPlansSmall");
    let begun = Instant::now();
    let records = || {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "done")).count()
    };
    while records() < done {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        assert!(begun.elapsed() < Duration::from_secs(600), "nothing is done");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Killed twice, once so that it cannot notice and once so that it can, it ends with the same bytes.
#[test]
fn a_cross_validation_that_is_killed_ends_as_one_that_is_not() {
    let world = planned();
    world.succeed(TRAIN_ALL);
    let whole = results(&world);
    let folds = whole.keys().filter(|path| path.ends_with("model_final_checkpoint.model")).count();
    assert_eq!(folds, 10, "{:?}", whole.keys());
    std::fs::remove_dir_all(world.path("results")).unwrap();
    std::fs::create_dir(world.path("results")).unwrap();

    let mut child = started(&world);
    wait_for(&world, 3, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();

    let mut child = started(&world);
    wait_for(&world, 6, &mut child);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3), "the exit code of what was stopped");

    let text = world.succeed(TRAIN_ALL);
    assert!(text.contains("2d_fold_0 was finished by an earlier run"), "{text}");
    let found = results(&world);
    assert_eq!(found.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    let different: Vec<_> =
        whole.iter().filter(|(path, text)| found[*path] != **text).map(|(path, _)| path).collect();
    assert!(different.is_empty(), "{different:?} differ");
}

/// A failure is that of its job; what depends on it is not run, and the rest is.
#[test]
fn a_failure_is_that_of_its_job() {
    let world = planned();
    let line = |folds: &str| {
        format!(
            "train_all 900 -m 2d -f {folds} --tr Tiny -p nnUNetPlansSmall --devices cpu -- --set batch_size=0"
        )
    };
    let outcome = world.run(&line("0 1 2 3 4"));
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    assert!(outcome.text.contains("5 of 6 jobs failed"), "{}", outcome.text);
    assert!(outcome.text.contains("1 jobs depend on them and were not run"), "{}", outcome.text);
    // Without all folds there is no comparison that could depend on them.
    let outcome = world.run(&line("0 7"));
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    assert!(outcome.text.contains("2 of 2 jobs failed"), "{}", outcome.text);
    assert!(!outcome.text.contains("depend on them"), "{}", outcome.text);
}

/// Fewer folds than there are cannot be compared: that is said, and is no failure.
#[test]
fn folds_that_are_missing_are_no_failure() {
    let world = planned();
    let line = "train_all 900 -m 2d -f 0 3 --tr Tiny -p nnUNetPlansSmall --devices cpu --jobs 2";
    let text = world.succeed(line);
    let said =
        "configurations are not compared: that takes all 5 folds, and 1, 2, 4 of them are not among --folds";
    assert!(text.contains(said) && text.contains("all 2 jobs are done"), "{text}");
    assert!(!world.path("results/nnUNet/ensembles").exists());
    // Where the task has two folds, these are all.
    let splits = r#"[{"train": ["phantom_000", "phantom_001", "phantom_002"], "val": ["phantom_003", "phantom_004", "phantom_005"]},
        {"train": ["phantom_003", "phantom_004", "phantom_005"], "val": ["phantom_000", "phantom_001", "phantom_002"]}]"#;
    std::fs::remove_file(world.path("preprocessed/Task900_Phantom/splits_final.pkl")).unwrap();
    world.write("preprocessed/Task900_Phantom/splits_final.json", splits);
    std::fs::remove_dir_all(world.path("results")).unwrap();
    std::fs::create_dir(world.path("results")).unwrap();
    let text = world.succeed(&line.replace("-f 0 3", "-f 0 1"));
    assert!(text.contains("all 3 jobs are done"), "{text}");
    folds_that_have_changed_are_noticed(&world, &line.replace("-f 0 3", "-f 0 1"));
}

/// After a complete `line` with two folds: cases that were predicted again are collected again, and a fold that was begun
/// anew is not skipped.
fn folds_that_have_changed_are_noticed(world: &World, line: &str) {
    let model = world.path("results/nnUNet/2d/Task900_Phantom/Tiny__nnUNetPlansSmall");
    let best = "find_best_configuration -t 900 -m 2d -tr Tiny -pl nnUNetPlansSmall -f 0 1";
    let text = world.succeed(best);
    assert!(!text.contains("have changed") && !text.contains("determining"), "{text}");
    let case = model.join("fold_0/validation_raw/phantom_003.nii.gz");
    let written = |path: &Path| path.metadata().unwrap().modified().unwrap();
    std::fs::write(&case, std::fs::read(&case).unwrap()).unwrap();
    let text = world.succeed(best);
    assert!(text.contains("the folds of 2d have changed") && text.contains("determining"), "{text}");
    for made in ["cv_niftis_raw/phantom_003.nii.gz", "postprocessing.json"] {
        assert!(written(&model.join(made)) >= written(&case), "{made}");
    }
    let outcome = world.run(&format!("{best} 9"));
    assert!(outcome.code == 1 && outcome.text.contains("fold 9 is not trained"), "{}", outcome.text);
    for ending in ["", ".pkl"] {
        let name = |kind: &str| model.join(format!("fold_1/model_{kind}.model{ending}"));
        std::fs::write(name("latest"), std::fs::read(name("final_checkpoint")).unwrap()).unwrap();
    }
    let text = world.succeed(line);
    assert!(text.contains("2d_fold_0 was finished") && !text.contains("2d_fold_1 was finished"), "{text}");
}

/// The scripts name every fold, and are scripts.
#[test]
fn scripts_do_the_same() {
    let world = planned();
    let line = "train_all 900 --tr Tiny -p nnUNetPlansSmall -f 0 3 --devices cpu --emit";
    let slurm = world.succeed(&format!("{line} slurm"));
    assert!(slurm.contains("job_2d=$(sbatch --parsable --job-name=2d --array=0,3"), "{slurm}");
    let sh = world.succeed(&format!("{line} sh"));
    assert_eq!(sh.matches(" train_all Task900_Phantom -m ").count(), 4, "{sh}");
    assert!(sh.contains("-m 2d -f 3 --tr Tiny"), "{sh}");
    for script in [&slurm, &sh] {
        assert!(script.contains("# configurations are not compared: that takes all 5 folds"), "{script}");
        assert!(!script.contains("find_best_configuration"), "{script}");
    }
    let all = line.replace(" -f 0 3", "");
    let (all_slurm, all_sh) = (world.succeed(&format!("{all} slurm")), world.succeed(&format!("{all} sh")));
    assert!(all_slurm.contains("--dependency=afterok:$job_2d:$job_3d_fullres"), "{all_slurm}");
    let compared = " find_best_configuration -t Task900_Phantom -m 2d 3d_fullres -f 0 1 2 3 4";
    assert!(all_sh.contains(compared), "{all_sh}");
    for script in [slurm, sh, all_slurm, all_sh] {
        world.write("script.sh", &script);
        let checked = Command::new("sh").arg("-n").arg(world.path("script.sh")).output().unwrap();
        assert!(checked.status.success(), "{script}{}", String::from_utf8_lossy(&checked.stderr));
    }
}
