//! Disks that are full: an error that names the file, no half of a file under its name, and no crash.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use nnunet_tests::{World, contents};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const MODEL: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
const TRAIN: &str = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference";

/// Runs a command by a shell script in which `"$@"` is the command.
fn by_shell(world: &World, script: &str, line: &str) -> Output {
    let inner = world.command(line);
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(inner.get_current_dir().unwrap()).output().unwrap()
}

/// Runs a command that may not write files of more than so many blocks of 512 bytes.
fn with_small_files(world: &World, blocks: u32, line: &str) -> Output {
    by_shell(world, &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), line)
}

/// Checks that a command ended with an error that names a file or folder, or that it succeeded; returns whether it failed.
fn ended_well(output: &Output, line: &str) -> bool {
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{line}: {}\n{text}", output.status);
    let failed = code == Some(1);
    let reason = ["File too large", "No space left"].iter().any(|reason| text.contains(reason));
    assert!(!failed || (reason && text.contains('/')), "{line}: the cause is not named\n{text}");
    assert!(!text.contains("frame #"), "{line}: frames of C++\n{text}");
    failed
}

fn assert_no_temporary_files(folder: &Path) {
    if folder.is_dir() {
        let hidden = |path: &Path| {
            path.components().any(|part| part.as_os_str().to_string_lossy().starts_with(".tmp"))
        };
        let left = contents(folder);
        assert!(!left.keys().any(|path| hidden(path.strip_prefix(folder).unwrap())), "{:?}", left.keys());
    }
}

/// Every command fails for a limit that is too small; without it, it then leaves what an undisturbed run leaves.
#[test]
fn files_that_do_not_fit_are_named_and_a_later_run_succeeds() {
    let world = World::with_phantoms();
    let undisturbed = contents(&world.path("preprocessed"));
    std::fs::remove_dir_all(world.path("preprocessed")).unwrap();
    std::fs::create_dir(world.path("preprocessed")).unwrap();
    std::fs::remove_dir_all(world.path("raw/nnUNet_cropped_data")).unwrap();
    let plan = "plan_and_preprocess -t 900 -pl3d Small -pl2d None -tl 2 -tf 2 --verify_dataset_integrity";
    assert!([2, 100, 300].map(|blocks| ended_well(&with_small_files(&world, blocks, plan), plan))[0]);
    assert_no_temporary_files(&world.path("preprocessed"));
    world.succeed(plan);
    let found = contents(&world.path("preprocessed"));
    for (path, bytes) in &undisturbed {
        assert!(found.get(path) == Some(bytes), "{} differs", path.display());
    }

    assert!([4, 60].map(|blocks| ended_well(&with_small_files(&world, blocks, TRAIN), TRAIN))[0]);
    assert_no_temporary_files(&world.path("results"));
    world.succeed(&format!("{TRAIN} --overwrite"));
    let predict =
        format!("predict -i {RAW}/imagesTs -o there/out --model-folder {MODEL} -f 0 -z --max_ram 1M");
    assert!([4, 60].map(|blocks| ended_well(&with_small_files(&world, blocks, &predict), &predict))[0]);
    assert_no_temporary_files(&world.path("there/out"));
    world.succeed(&predict);
    let export = "export_model_to_zip -t Task900_Phantom -o model.zip -tr Short -pl nnUNetPlansSmall -f 0 \
                  -m 3d_fullres --disable_strict";
    assert!(ended_well(&with_small_files(&world, 10, export), export));
    assert!(!world.path("model.zip").exists());
    world.succeed(export);
    std::fs::rename(world.path("results"), world.path("trained")).unwrap();
    let install = "install_pretrained_model_from_zip model.zip";
    assert!(ended_well(&with_small_files(&world, 10, install), install));
    assert_no_temporary_files(&world.path("results"));
    world.succeed(install);
}

/// A disk without free blocks: sums in files that are mapped into memory must not end the program with SIGBUS. The disk is
/// a small file system in memory, in a namespace of its own.
#[test]
fn a_full_disk_is_an_error() {
    let allowed = Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success());
    assert!(
        allowed || std::env::var_os("CI").is_none(),
        "`unshare -rm` is not permitted here: allow user namespaces, or run as root"
    );
    if !allowed {
        return;
    }
    let world = World::with_phantoms();
    world.succeed(TRAIN);
    std::fs::create_dir(world.path("disk")).unwrap();
    let predict =
        format!("predict -i {RAW}/imagesTs -o disk/out --model-folder {MODEL} -f 0 -z --max_ram 1M");
    let train = TRAIN.to_owned();
    for (line, sizes) in [(&predict, [8, 600]), (&train, [8, 400])] {
        let failures = sizes.map(|kilobytes| {
            let disk = world.path("disk");
            let mount = format!("mount -t tmpfs -o size={kilobytes}k tmpfs '{}'", disk.display());
            let results = if line.starts_with("train") { "export RESULTS_FOLDER=\"$PWD/disk\";" } else { "" };
            let script = format!(
                "exec unshare -rm sh -c '{}; {results} exec \"$@\"' sh \"$@\"",
                mount.replace('\'', "\"")
            );
            ended_well(&by_shell(&world, &script, line), line)
        });
        assert!(failures[0], "{line} fits on a disk of {} kB", sizes[0]);
    }
}
