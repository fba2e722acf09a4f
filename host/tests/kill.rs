//! Programs that are killed at any moment: run again, they leave the files of an undisturbed run, and nothing else.
//!
//! `NNUNET_KILLS=100 cargo test --release -p nnunet --test kill` kills each command that often.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "kill/fold_v2.rs"]
mod fold_v2;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// A command that is killed.
struct Killed<'a> {
    world: &'a World,
    line: &'a str,
    /// Removes what it has written.
    fresh: &'a dyn Fn(),
    /// What is run after a kill; none if nothing is left to do.
    again: &'a dyn Fn() -> Option<String>,
    /// Compares what is there with what an undisturbed run leaves.
    check: &'a dyn Fn(),
}

impl Killed<'_> {
    /// Kills the command at moments that are spread over the duration of an undisturbed run. After each kill it is run
    /// again, which must succeed and leave what an undisturbed run leaves.
    fn often(&self) {
        (self.fresh)();
        let start = Instant::now();
        self.world.succeed(self.line);
        let duration = start.elapsed();
        (self.check)();
        let mut hits = 0;
        for number in 0..kills() {
            // The first one is hit early also when this run is faster than the measured one.
            let share = (f64::from(number) + 0.3) / f64::from(kills());
            hits += u32::from(self.once("-KILL", &|since| since >= duration.mul_f64(share)));
        }
        assert!(hits > 0, "{}: no run was killed", self.line);
    }

    /// Sends a signal at the moment that is told by the time since the start, and runs the command again; false when it
    /// ended before.
    fn once(&self, signal: &str, is_moment: &dyn Fn(Duration) -> bool) -> bool {
        (self.fresh)();
        let mut command = self.world.command(self.line);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while !is_moment(start.elapsed()) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let runs = child.try_wait().unwrap().is_none();
        if runs {
            assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        }
        child.wait().unwrap();
        if let Some(again) = (self.again)() {
            self.world.succeed(&again);
        }
        (self.check)();
        runs
    }
}

/// The files below a folder, without records of time.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let records = ["predictions.json", "prediction_time.txt"];
    let is_record =
        |path: &Path| path.file_name().is_some_and(|name| records.iter().any(|record| name == *record));
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
    let check = |line: &str, folder: &str| {
        let folder = world.path(folder);
        let fresh = || {
            remove(&folder);
            std::fs::create_dir(&folder).unwrap();
        };
        fresh();
        world.succeed(line);
        let whole = files(&folder);
        let killed = Killed {
            world: &world,
            line,
            fresh: &fresh,
            again: &|| Some(line.to_owned()),
            check: &|| assert_same(&files(&folder), &whole),
        };
        killed.often();
    };
    check(&format!("predict -i {RAW}/imagesTs -o out --model-folder {MODEL} -f 0 -z --disable_tta"), "out");
    let export = "export_model_to_zip -t Task900_Phantom -o zip/model.zip -tr Short -pl nnUNetPlansSmall -f 0 \
                  -m 3d_fullres --disable_strict --overwrite";
    check(export, "zip");
    std::fs::rename(world.path("results"), world.path("trained")).unwrap();
    check("install_pretrained_model_from_zip zip/model.zip --overwrite", "results");
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
    let killed = Killed {
        world: &world,
        line: &line,
        fresh: &|| remove(&copy),
        again: &|| (!copy.exists()).then(|| line.clone()),
        check: &|| assert_same(&files(&raw), &whole),
    };
    killed.often();
}

/// Killed anywhere, a training goes on with `-c`, or starts again where no epoch was finished, to the same weights.
#[test]
fn a_training_goes_on_to_the_same_weights() {
    let world = World::with_phantoms();
    world.configure("\n[trainers.Saving]\nextends = \"Short\"\nmax_num_epochs = 3\nsave_every = 1\n");
    let line = TRAIN.replace("Short", "Saving");
    let fold = world.path(&MODEL.replace("Short", "Saving")).join("fold_0");
    let state = || {
        let last = torch_zip::load(&fold.join("model_final_checkpoint.model")).unwrap();
        // There is none where the metric never rises.
        let best = torch_zip::load(&fold.join("model_best.model")).ok().map(|best| best.tensors);
        (last.root, last.tensors, best)
    };
    world.succeed(&line);
    let whole = state();
    let go_on = || {
        let states = ["model_latest.model", "model_final_checkpoint.model"];
        if states.iter().any(|name| fold.join(name).is_file()) { format!("{line} -c") } else { line.clone() }
    };
    let killed = Killed {
        world: &world,
        line: &line,
        fresh: &|| remove(&fold),
        again: &|| Some(go_on()),
        check: &|| {
            assert!(state() == whole, "the weights differ from those of an undisturbed run");
            let names = std::fs::read_dir(&fold).unwrap().flatten().map(|entry| entry.file_name());
            let hidden: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with('.')).collect();
            assert!(hidden.is_empty(), "{hidden:?}");
        },
    };
    killed.often();
}
