//! Trainings that are killed, stopped, or meet values that are not finite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use nnunet_formats::pickle::Value;
use nnunet_formats::torch_zip::{self, TensorData};
use nnunet_tests::{World, plugin};

const LINE: &str = "train 3d_fullres Saving 900 0 -p nnUNetPlansSmall --disable_validation_inference";
const FOLD: &str = "nnUNet/3d_fullres/Task900_Phantom/Saving__nnUNetPlansSmall/fold_0";

fn world() -> World {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    let trainer = "\n[trainers.Saving]\nextends = \"Short\"\nmax_num_epochs = 3\nnum_batches_per_epoch = 6\n\
                   save_every = 1\n";
    world.write("nnunet.toml", &(toml + trainer));
    world
}

/// Starts a training, and sends a signal when the second epoch has begun; returns the exit code, if it has one.
fn interrupt(world: &World, results: &Path, signal: &str) -> Option<i32> {
    interrupt_in(world, results, signal, 1).0
}

/// As [`interrupt`], when `epoch` has begun; also returns the output.
fn interrupt_in(world: &World, results: &Path, signal: &str, epoch: usize) -> (Option<i32>, Vec<String>) {
    let mut command = world.command(LINE);
    let mut child = command.env("RESULTS_FOLDER", results).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines {
        if line.contains(&format!("epoch:  {epoch}")) {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
        }
        said.push(line);
    }
    let next = format!("epoch:  {}", epoch + 1);
    assert!(!said.iter().any(|line| line.contains(&next)), "{signal} came too late: {said:?}");
    (child.wait().unwrap().code(), said)
}

/// Runs a command, and asks it to stop when it says a text; the exit code and the output.
fn stop_at(world: &World, line: &str, text: &str) -> (Option<i32>, Vec<String>) {
    let mut child = world.command(line).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = Vec::new();
    for line in lines {
        if line.contains(text) && !said.iter().any(|line| line.contains(text)) {
            let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
        }
        said.push(line);
    }
    (child.wait().unwrap().code(), said)
}

#[test]
fn who_stops_in_the_first_epoch_is_not_told_to_continue() {
    let world = world();
    let (_, said) = interrupt_in(&world, &world.path("results"), "-TERM", 0);
    assert!(said.iter().any(|line| line.contains("start again without -c")), "{said:?}");
    let (_, said) = interrupt_in(&world, &world.path("results"), "-TERM", 1);
    assert!(said.iter().any(|line| line.contains("continue with -c")), "{said:?}");
}

/// A new training takes the validation of the earlier one away with its first checkpoint, not before.
#[test]
fn the_validation_of_a_replaced_training_is_removed() {
    let world = world();
    let fold = world.path("results").join(FOLD);
    world.succeed(&LINE.replace(" --disable_validation_inference", ""));
    let there = || {
        ["validation_raw", "validation_raw_postprocessed", "postprocessing.json"]
            .map(|name| fold.join(name).exists())
    };
    assert_eq!(there(), [true; 3]);
    let again = LINE.replace("train ", "train --overwrite ");
    let (_, said) = stop_at(&world, &again, "epoch:  0");
    assert!(said.iter().any(|line| line.contains("the earlier training is still there")), "{said:?}");
    assert_eq!(there(), [true; 3]);
    let (code, said) = stop_at(&world, &again, "epoch:  1");
    assert!(code == Some(3) && said.iter().any(|line| line.contains("removed the validation")), "{said:?}");
    assert_eq!(there(), [false; 3]);
}

/// Stopped in its validation, a training says what is left to do.
#[test]
fn who_stops_the_validation_is_told_what_is_missing() {
    let world = world();
    world.succeed(LINE);
    let line = LINE.replace(" --disable_validation_inference", " -c");
    let (code, said) = stop_at(&world, &line, "done, saving took");
    assert_eq!(code, Some(3), "{said:?}");
    let sentence = "the training is complete, its validation is not: -c or -val makes it";
    assert!(said.iter().any(|line| line.contains(sentence)), "{said:?}");
}

fn final_state(results: &Path) -> (Value, Vec<TensorData>) {
    let checkpoint = torch_zip::load(&results.join(FOLD).join("model_final_checkpoint.model")).unwrap();
    (checkpoint.root, checkpoint.tensors)
}

/// Whether this test was started by `nohup` or the like.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1
}

/// A killed run loses the epoch it was in, a stopped one too; with `-c` both end where an uninterrupted run ends, in
/// weights, momentum, history and moving averages.
#[test]
fn an_interrupted_training_goes_on_bit_for_bit() {
    let world = world();
    world.succeed(LINE);
    let whole = final_state(&world.path("results"));
    let signals = ["-TERM", "-USR1", "-INT", "-HUP"].map(|signal| (signal, Some(3)));
    for (signal, code) in signals.into_iter().chain([("-KILL", None)]) {
        if signal == "-HUP" && ignores_hangup() {
            continue;
        }
        let results = world.path(signal);
        std::fs::create_dir(&results).unwrap();
        assert_eq!(interrupt(&world, &results, signal), code, "{signal}");
        assert!(results.join(FOLD).join("model_latest.model").is_file(), "{signal}");
        let folder = results.display().to_string();
        let resumed = world.run_with(&format!("{LINE} -c"), &[("RESULTS_FOLDER", &folder)]);
        assert_eq!(resumed.code, 0, "{}", resumed.text);
        assert!(resumed.text.contains("model_latest.model train= True"), "{}", resumed.text);
        assert!(!resumed.text.contains("epoch:  0"), "{signal}: it started again\n{}", resumed.text);
        assert!(
            final_state(&results) == whole,
            "{signal}: the end differs from that of an uninterrupted run"
        );
        assert!(!results.join(FOLD).join("model_latest.model").exists(), "{signal}");
    }
}

/// Two batches an epoch: the first one has a loss that is not a number, once.
#[test]
fn a_loss_that_is_not_finite_names_its_place_and_rolls_back() {
    let world = World::with_phantoms();
    let line = format!(
        "--plugin {} train 3d_fullres Misbehaving 900 0 -p nnUNetPlansSmall --disable_validation_inference --overwrite",
        plugin("misbehaving").display()
    );
    let outcome = world.run_with(&line, &[("NNUNET_MISBEHAVE", "nan_once")]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    for part in ["epoch 0: step 0: cases phantom_", "first in the loss", "back to the start of epoch 0"] {
        assert!(outcome.text.contains(part), "{part} is missing in: {}", outcome.text);
    }
    let outcome = world.run_with(&line, &[("NNUNET_MISBEHAVE", "nan")]);
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    assert!(outcome.text.contains("failed again after a restart"), "{}", outcome.text);
}
