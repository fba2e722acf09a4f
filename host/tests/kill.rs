//! Programs that are killed at any moment: run again, they leave the files of an undisturbed run, and nothing else.
//!
//! `NNUNET_KILLS=100 cargo test --release -p nnunet --test kill` kills each command that often.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nnunet_formats::{nifti, torch_zip};
use nnunet_tests::{World, contents};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const MODEL: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
const TRAIN: &str = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference";

/// Kills of each command.
fn kills() -> u32 {
    std::env::var("NNUNET_KILLS").ok().map_or(4, |text| text.parse().unwrap())
}

/// Runs a command undisturbed, which must succeed, then kills it at moments that are spread over its duration. Before
/// each run `prepare` is called.
fn kill_often(world: &World, line: &str, prepare: impl Fn()) {
    prepare();
    let start = Instant::now();
    world.succeed(line);
    let duration = start.elapsed();
    let mut hits = 0;
    for number in 0..kills() {
        prepare();
        let mut child = world.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The first one is hit early also when this run is faster than the measured one.
        let share = (f64::from(number) + 0.3) / f64::from(kills());
        std::thread::sleep(Duration::from_secs_f64(duration.as_secs_f64() * share));
        hits += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(hits > 0, "{line}: no run was killed");
}

/// The files below a folder, without records of time.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_record = |path: &Path| path.file_name().is_some_and(|name| name == "predictions.json");
    contents(folder).into_iter().filter(|(path, _)| !is_record(path)).collect()
}

/// Compares folders file by file.
fn assert_same(found: &BTreeMap<PathBuf, Vec<u8>>, wanted: &BTreeMap<PathBuf, Vec<u8>>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (path, bytes) in wanted {
        assert!(found[path] == *bytes, "{} differs", path.display());
    }
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn predictions_and_archives_are_whole_or_absent() {
    let world = World::with_phantoms();
    world.succeed(TRAIN);
    let predict = format!("predict -i {RAW}/imagesTr -o out --model-folder {MODEL} -f 0 -z --disable_tta");
    world.succeed(&predict);
    let whole = files(&world.path("out"));
    remove(&world.path("out"));
    kill_often(&world, &predict, || {});
    world.succeed(&predict);
    assert_same(&files(&world.path("out")), &whole);

    let export = "export_model_to_zip -t Task900_Phantom -o zip/model.zip -tr Short -pl nnUNetPlansSmall -f 0 \
                  -m 3d_fullres --disable_strict --overwrite";
    std::fs::create_dir(world.path("zip")).unwrap();
    world.succeed(export);
    let archive = files(&world.path("zip"));
    kill_often(&world, export, || {});
    world.succeed(export);
    assert_same(&files(&world.path("zip")), &archive);

    let install = "install_pretrained_model_from_zip zip/model.zip --overwrite";
    let trained = world.path("trained");
    std::fs::rename(world.path("results"), &trained).unwrap();
    world.succeed(install);
    let installed = files(&world.path("results"));
    kill_often(&world, install, || remove(&world.path("results")));
    world.succeed(install);
    assert_same(&files(&world.path("results")), &installed);
}

#[test]
fn a_repaired_copy_is_whole_or_absent() {
    let world = World::with_raw_phantoms(6);
    for case in 0..6 {
        let label = world.path(&format!("{RAW}/labelsTr/phantom_{case:03}.nii.gz"));
        let read = nifti::read(&label).unwrap();
        let values = read.data.mapv(|value| [0, 127, 255][value as usize]);
        nifti::write_labels(&label, values.view(), &read.geometry).unwrap();
    }
    let raw = world.path("raw/nnUNet_raw_data");
    let copy = raw.join("Task901_PhantomRepaired");
    let line = format!("verify 900 --fix --yes -o {}", copy.display());
    world.succeed(&line);
    let whole = files(&raw);
    kill_often(&world, &line, || {
        if copy.exists() {
            assert_same(
                &files(&copy),
                &whole.clone().into_iter().filter(|(path, _)| path.starts_with(&copy)).collect(),
            );
            remove(&copy);
        }
    });
    remove(&copy);
    world.succeed(&line);
    assert_same(&files(&raw), &whole);
}

/// Killed anywhere, a training goes on with `-c`, or starts again where no epoch was finished, to the same weights.
#[test]
fn a_training_goes_on_to_the_same_weights() {
    let world = World::with_phantoms();
    world.configure("\n[trainers.Saving]\nextends = \"Short\"\nmax_num_epochs = 3\nsave_every = 1\n");
    let line = TRAIN.replace("Short", "Saving");
    let fold = world.path(&MODEL.replace("Short", "Saving")).join("fold_0");
    let state = || {
        let checkpoint = torch_zip::load(&fold.join("model_final_checkpoint.model")).unwrap();
        (checkpoint.root, checkpoint.tensors)
    };
    world.succeed(&line);
    let whole = state();
    remove(&fold);
    let go_on = || {
        let latest = ["model_latest.model", "model_final_checkpoint.model"];
        if latest.iter().any(|name| fold.join(name).is_file()) { format!("{line} -c") } else { line.clone() }
    };
    kill_often(&world, &line, || remove(&fold));
    world.succeed(&go_on());
    assert!(state() == whole, "the weights differ from those of an undisturbed run");
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let left: Vec<_> = std::fs::read_dir(&fold).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| hidden(name)), "{left:?}");
}
