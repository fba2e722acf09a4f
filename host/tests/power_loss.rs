//! Power failures: what was flushed to the disk is enough to go on from, and what a command has announced is flushed.
//!
//! `tests/power_loss/record.c` keeps a copy of what a disk holds at worst: of each file the bytes that were flushed, under
//! the names that its folder had when it was flushed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nnunet_formats::torch_zip;
use nnunet_tests::{World, contents, copy_folder, repository};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const TRAIN: &str = "train 3d_fullres Saving 900 0 -p nnUNetPlansSmall --disable_validation_inference";
const FOLD: &str = "nnUNet/3d_fullres/Task900_Phantom/Saving__nnUNetPlansSmall/fold_0";

struct Disk {
    world: World,
    recorder: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let world = World::with_phantoms();
        world.configure("\n[trainers.Saving]\nextends = \"Short\"\nmax_num_epochs = 4\nsave_every = 1\n");
        let recorder = world.path("record.so");
        let source = repository().join("tests/power_loss/record.c");
        let cc =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&recorder).arg(source).status();
        assert!(cc.expect("a C compiler").success());
        Self { world, recorder }
    }

    /// A command whose flushes are recorded.
    fn command(&self, line: &str) -> Command {
        let mut command = self.world.command(line);
        command
            .env("LD_PRELOAD", &self.recorder)
            .env("POWER_LOSS_ROOT", self.root())
            .env("POWER_LOSS_COPY", self.world.path("copy"));
        command
    }

    fn root(&self) -> PathBuf {
        self.world.path("").canonicalize().unwrap()
    }

    /// The copy of a folder of the world.
    fn copy_of(&self, name: &str) -> PathBuf {
        let inside = self.root().join(name);
        self.world.path("copy/files").join(inside.strip_prefix("/").unwrap())
    }

    /// Runs a command; then all files of a folder must have been flushed, except those that `is_free` names.
    fn flushes(&self, line: &str, folder: &str, is_free: fn(&str) -> bool) {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        let (copy, mut count) = (self.copy_of(folder), 0);
        for (path, bytes) in contents(&self.root().join(folder)) {
            let name = path.file_name().unwrap().to_string_lossy();
            if !is_free(&name) {
                let flushed = std::fs::read(copy.join(path.strip_prefix(self.root().join(folder)).unwrap()));
                assert!(
                    flushed.is_ok_and(|flushed| flushed == bytes),
                    "{line}: {} is not on the disk",
                    path.display()
                );
                count += 1;
            }
        }
        assert!(count > 0, "{folder} is empty");
    }
}

/// Texts and pictures for people, written while a training runs.
fn is_log(name: &str) -> bool {
    let starts = ["training_log", "events.out"];
    starts.iter().any(|start| name.starts_with(start))
}

fn none(_: &str) -> bool {
    false
}

#[test]
fn what_is_announced_is_on_the_disk() {
    let disk = Disk::new();
    for folder in ["preprocessed", "raw/nnUNet_cropped_data"] {
        std::fs::remove_dir_all(disk.world.path(folder)).unwrap();
    }
    let plan = "plan_and_preprocess -t 900 -pl3d Small -pl2d None -tl 2 -tf 2";
    disk.flushes(plan, "preprocessed", none);
    disk.flushes(&TRAIN.replace(" --disable_validation_inference", ""), "results", is_log);
    let model = format!("results/{FOLD}");
    let model = Path::new(&model).parent().unwrap().display();
    disk.flushes(&format!("predict -i {RAW}/imagesTs -o out --model-folder {model} -f 0 -z"), "out", none);
    let export = "export_model_to_zip -t Task900_Phantom -o zip/model.zip -tr Saving -pl nnUNetPlansSmall -f 0 \
                  -m 3d_fullres --disable_strict";
    std::fs::create_dir(disk.world.path("zip")).unwrap();
    disk.flushes(export, "zip", none);
    std::fs::rename(disk.world.path("results"), disk.world.path("trained")).unwrap();
    disk.flushes("install_pretrained_model_from_zip zip/model.zip", "results", none);
}

/// The power fails in the middle of a training: what is on the disk then is continued, to the same weights.
#[test]
fn a_training_goes_on_from_what_is_on_the_disk() {
    let disk = Disk::new();
    let world = &disk.world;
    let state = |results: &Path| {
        let checkpoint = torch_zip::load(&results.join(FOLD).join("model_final_checkpoint.model")).unwrap();
        (checkpoint.root, checkpoint.tensors)
    };
    world.succeed(TRAIN);
    let whole = state(&world.path("results"));
    std::fs::remove_dir_all(world.path("results")).unwrap();
    let mut child = disk.command(TRAIN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let copy = disk.copy_of("results");
    let latest = copy.join(FOLD).join("model_latest.model");
    while !latest.is_file() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the training ended before a checkpoint was on the disk"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let after = world.path("after");
    copy_folder(&copy, &after);
    let folder = after.display().to_string();
    let resumed = world.run_with(&format!("{TRAIN} -c"), &[("RESULTS_FOLDER", &folder)]);
    assert_eq!(resumed.code, 0, "{}", resumed.text);
    assert!(!resumed.text.contains("epoch:  0"), "it started again\n{}", resumed.text);
    assert!(state(&after) == whole, "the weights differ from those of an undisturbed run");
}
