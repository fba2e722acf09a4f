//! The misbehaving plugin: every way to go wrong, and what the user reads, word for word.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nnunet_tests::{Outcome, World, author_shell, plugin};

const LOSS: &str = "plugin misbehaving, trainer Misbehaving: forward: ";
const NETWORK: &str = "plugin misbehaving, architecture Pointwise: forward: ";

fn line() -> String {
    format!(
        "--plugin {} train 3d_fullres Misbehaving Task900_Phantom 0 -p nnUNetPlansSmall --disable_validation_inference --overwrite",
        plugin("misbehaving").display()
    )
}

fn train(world: &World, fault: &str) -> Outcome {
    world.run_with(&line(), &[("NNUNET_MISBEHAVE", fault)])
}

/// Every fault ends the run with code 1 and an error that names plugin, component, method and cause.
#[test]
fn faults_at_run_time_are_contained_and_named() {
    let world = World::with_phantoms();
    let faults = [
        ("panic", LOSS, "panicked: the loss panics as requested at "),
        ("nan", LOSS, "loss NaN is not finite"),
        ("shape", LOSS, "loss: expected a scalar, got ["),
        ("dtype", LOSS, "loss: expected a floating-point scalar, got Int64"),
        ("no_gradient", LOSS, "the loss does not depend on the network (no gradient)"),
        ("tensor_allocation", LOSS, "libtorch: "),
        ("panic_in_create", "plugin misbehaving, trainer Misbehaving: ", "panicked: "),
        ("architecture_panic", NETWORK, "panicked: the network panics as requested at "),
        ("architecture_shape", NETWORK, "output: expected ["),
        ("architecture_dtype", NETWORK, "output: expected floating-point tensors, got Int64"),
    ];
    for (fault, who, what) in faults {
        let outcome = train(&world, fault);
        assert_eq!(outcome.code, 1, "{fault}: {}", outcome.text);
        let message = format!("{who}{what}");
        assert!(outcome.text.contains(&message), "{fault}: `{message}` is missing in: {}", outcome.text);
    }
}

/// The same for hooks of trainers.
#[test]
fn faults_of_hooks_are_contained_and_named() {
    let world = World::with_phantoms();
    let faults = [
        ("hook_rate", "learning_rate_at: panicked: "),
        ("hook_rate_nan", "learning_rate_at: learning rate Some(NaN) of epoch 0, step 0"),
        ("hook_train_start", "on_train_start: panicked: "),
        ("hook_case", "on_train_start: there is no case `nobody`"),
        ("hook_epoch_start", "on_epoch_start: panicked: "),
        ("hook_batch", "on_batch: panicked: on_batch panics as requested at "),
        ("hook_batch_nan", "on_batch: images with values that are not finite"),
        ("hook_batch_shape", "on_batch: images: expected ["),
        ("hook_step", "train_step: panicked: train_step panics as requested at "),
        ("hook_step_nan", "train_step: loss NaN is not finite"),
        ("hook_step_shape", "train_step: loss: expected a floating-point scalar, got Float ["),
        ("hook_validation", "validation_step: panicked: validation_step panics as requested at "),
        ("hook_tally_nan", "validation_step: tally `odd` of NaN and 1 is not finite"),
        ("hook_save", "save_state: panicked: "),
        ("hook_state_dtype", "save_state: odd: expected floating-point numbers, got Int64"),
    ];
    for (fault, what) in faults {
        let outcome = train(&world, fault);
        assert_eq!(outcome.code, 1, "{fault}: {}", outcome.text);
        let message = format!("plugin misbehaving, trainer Misbehaving: {what}");
        assert!(outcome.text.contains(&message), "{fault}: `{message}` is missing in: {}", outcome.text);
    }
    for (fault, what) in [
        ("head_facts", "plugin misbehaving, head OddHead: facts: panicked: "),
        ("head_outputs", "plugin misbehaving, head OddHead: outputs: panicked: "),
        ("head_none", "outputs of the head: expected at least one, got 0"),
        ("head_targets", "plugin misbehaving, head OddHead: targets: panicked: "),
        ("head_targets_shape", "targets of the head: expected ["),
    ] {
        let outcome = train(&world, fault);
        assert!(outcome.code == 1 && outcome.text.contains(what), "{fault}: {}", outcome.text);
    }
    let validated = line().replace("--disable_validation_inference", "");
    for (fault, what) in [
        ("head_scores", "plugin misbehaving, head OddHead: scores: panicked: "),
        ("head_scores_shape", "scores of the head: expected ["),
        ("head_written", "plugin misbehaving, head OddHead: written: panicked: "),
        ("head_written_kind", "what the head writes: expected Int64, got Float"),
    ] {
        let outcome = world.run_with(&validated, &[("NNUNET_MISBEHAVE", fault)]);
        assert!(outcome.code == 1 && outcome.text.contains(what), "{fault}: {}", outcome.text);
    }
    for (fault, what) in [
        ("metric_panic", "tally: panicked: "),
        ("metric_nan", "tally: tally `batches` of NaN and 1 is not finite"),
        ("metric_value", "value: panicked: "),
    ] {
        let outcome = train(&world, fault);
        let message = format!("plugin misbehaving, metric OddMetric: {what}");
        assert!(outcome.code == 1 && outcome.text.contains(&message), "{fault}: {}", outcome.text);
    }
    for (fault, what) in [
        ("schedule_panic", "learning_rate: panicked: "),
        ("schedule_nan", "learning_rate: learning rate NaN of epoch 0, step 0"),
        ("schedule_negative", "learning_rate: learning rate -"),
        ("schedule_state", "save_state: panicked: "),
    ] {
        let outcome = train(&world, fault);
        let message = format!("plugin misbehaving, schedule OddSchedule: {what}");
        assert!(outcome.code == 1 && outcome.text.contains(&message), "{fault}: {}", outcome.text);
    }
    for (fault, what) in [
        ("optimizer_panic", "step: panicked: "),
        ("optimizer_shape", "initial_state: odd: expected ["),
        ("optimizer_dtype", "initial_state: odd: expected floating-point numbers, got Int64"),
    ] {
        let outcome = train(&world, fault);
        let message = format!("plugin misbehaving, optimizer OddOptimizer: {what}");
        assert!(outcome.code == 1 && outcome.text.contains(&message), "{fault}: {}", outcome.text);
    }
    let nan = train(&world, "optimizer_nan");
    assert!(nan.code == 1 && nan.text.contains("first in parameter "), "{}", nan.text);
    let nobody = train(&world, "hook_nobody");
    let message = "there is no network `nobody`; add it in on_train_start";
    assert!(nobody.code == 1 && nobody.text.contains(message), "{}", nobody.text);
}

#[test]
fn a_tensor_on_another_device_is_refused() {
    let world = World::with_phantoms();
    let outcome = train(&world, "device");
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    let on_gpu = std::path::Path::new("/dev/nvidia0").exists();
    // With a GPU the network is on it too; without one libtorch cannot make such a tensor.
    let message = if on_gpu { LOSS.to_owned() } else { format!("{LOSS}libtorch: ") };
    assert!(outcome.text.contains(&message), "{}", outcome.text);
}

/// On the device of the tests, which refuses what a GPU refuses.
#[test]
fn a_plugin_that_mixes_devices_is_named() {
    let world = World::with_phantoms();
    let gpus = |fault| [("NNUNET_MISBEHAVE", fault), ("REHEARSAL_GPUS", "2")];
    let run =
        |fault, device: &str| world.run_beside_gpu(&format!("{} --device {device}", line()), &gpus(fault));
    assert_eq!(run("mixed_devices", "cpu").code, 0);
    let mixed = run("mixed_devices", "cuda:1");
    let message = format!("{LOSS}libtorch: Expected all tensors to be on the same device");
    assert!(mixed.code == 1 && mixed.text.contains(&message), "{}", mixed.text);
    let other = run("device", "cuda:1");
    assert!(other.code == 1 && other.text.contains(LOSS), "{}", other.text);
    let step = run("hook_step_device", "cuda:1");
    let message =
        "trainer Misbehaving: train_step: loss: expected a tensor on Cuda(1), got a tensor on Cuda(0)";
    assert!(step.code == 1 && step.text.contains(message), "{}", step.text);
}

#[test]
fn what_does_no_harm_is_borne() {
    let world = World::with_phantoms();
    for fault in ["panic_in_drop", "leaked_no_grad", "hook_step_no_grad", "optimizer_no_grad"] {
        let outcome = train(&world, fault);
        assert_eq!(outcome.code, 0, "{fault}: {}", outcome.text);
    }
}

/// What a plugin prints does not get among the results.
#[test]
fn a_plugins_prints_go_to_standard_error() {
    let world = World::with_phantoms();
    let output =
        world.command(&format!("--json {}", line())).env("NNUNET_MISBEHAVE", "stdout").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert!(err.contains("the loss prints as requested"), "{err}");
    for line in out.lines() {
        assert!(line.starts_with('{'), "not JSON: {line}");
    }
}

/// An abort cannot be contained, but it is said whose it was.
#[test]
fn memory_that_is_not_there_ends_the_process_with_a_name() {
    let world = World::with_phantoms();
    let output = world.command(&line()).env("NNUNET_MISBEHAVE", "allocation").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(6), "{err}");
    assert!(err.contains("memory allocation of 140737488355328 bytes failed"), "{err}");
    assert!(err.contains(&format!("error: {LOSS}ended the process (SIGABRT)")), "{err}");
}

/// Starts a training that never comes back from the loss, and signals it once its epoch has begun, again after a while
/// when it is still there. Returns the exit code.
fn interrupted(world: &World, fault: &str, signals: usize) -> Option<i32> {
    let mut child =
        world.command(&line()).env("NNUNET_MISBEHAVE", fault).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("epoch:  0")), "{fault}: no epoch began");
    for _ in 0..signals {
        std::thread::sleep(Duration::from_millis(300));
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    }
    lines.for_each(drop);
    child.wait().unwrap().code()
}

#[test]
fn an_endless_loop_ends_when_the_user_asks() {
    let world = World::with_phantoms();
    for fault in ["endless", "hook_step_endless"] {
        let code = interrupted(&world, fault, 1);
        assert_eq!(code, Some(3), "{fault}: it looks whether the user wants to stop");
    }
    assert_eq!(interrupted(&world, "deaf", 2), Some(130), "it never looks; the second signal ends it");
}

/// Place of the handshake in a plugin's file.
fn handshake(bytes: &[u8]) -> usize {
    let head: Vec<u8> = b"NNUNETPL".iter().copied().chain(152_u32.to_le_bytes()).collect();
    bytes.windows(head.len()).position(|window| window == head).expect("a handshake")
}

/// A copy of the plugin with other bytes at an offset of its handshake.
fn patched(world: &World, name: &str, patch: impl Fn(&mut [u8], usize)) -> String {
    let mut bytes = std::fs::read(plugin("misbehaving")).unwrap();
    let start = handshake(&bytes);
    patch(&mut bytes, start);
    std::fs::write(world.path(name), bytes).unwrap();
    let outcome = world.run(&format!("--plugin {name} plugins list"));
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    outcome.text
}

#[test]
fn every_fault_of_the_handshake_is_refused_in_its_own_words() {
    let world = World::new();
    let put = |offset: usize, value: u32| {
        move |bytes: &mut [u8], start: usize| {
            bytes[start + offset..start + offset + 4].copy_from_slice(&value.to_le_bytes());
        }
    };
    let text = patched(&world, "magic.so", put(0, 0x5858_5858));
    let message = "plugin magic.so: handshake magic: found [88, 88, 88, 88, 69, 84, 80, 76], wanted [78, 78, 85, 78, 69, 84, 80, 76]; the file is not a plugin of nnunet";
    assert!(text.contains(message), "{text}");
    let text = patched(&world, "size.so", put(8, 8));
    let message = "plugin size.so: handshake size: found 8 bytes, wanted at least 152; rebuild the plugin";
    assert!(text.contains(message), "{text}");
    let text = patched(&world, "major.so", put(12, 2));
    let message =
        "plugin major.so: ABI major: found 2, wanted 1; rebuild the plugin with nnunet-plugin-api 0.1.0";
    assert!(text.contains(message), "{text}");
    let text = patched(&world, "minor.so", put(16, 99));
    let message =
        "plugin minor.so: ABI minor: found 1.99, wanted at most 1.4; update nnunet or rebuild the plugin";
    assert!(text.contains(message), "{text}");
}

/// A plugin built as its author built it; without tensors, since everything it depends on is compiled again.
#[test]
fn a_build_whose_panics_abort_is_refused_and_the_program_lives() {
    let world = World::new();
    let script = "nnunet plugins new postprocessor aborting
        printf '\n[profile.release]\npanic = \"abort\"\nopt-level = 0\n' >> aborting/Cargo.toml
        nnunet plugins install aborting";
    let output = author_shell(&world.path("."), script).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let message = "libaborting.so: panic strategy: found abort, wanted unwind; remove `panic = \"abort\"` from the plugin's profile";
    assert!(err.contains(message), "{err}");
    assert!(!world.path("data/nnunet/plugins/libaborting.so").exists());

    let folder = world.path("aborting/target/release").display().to_string();
    let found = world.run_with("plugins list", &[("NNUNET_PLUGIN_PATH", &folder)]);
    assert_eq!(found.code, 0, "{}", found.text);
    let row = found.text.lines().find(|line| line.starts_with("plugin ")).unwrap();
    assert!(row.contains(" incompatible ") && row.contains("panic strategy: found abort"), "{row}");
    assert!(found.text.contains(" ExperimentPlanner3D_v21 "), "{}", found.text);
    let named = world.run(&format!("--plugin {folder}/libaborting.so plugins list"));
    assert_eq!(named.code, 1);
    assert!(named.text.contains(message), "{}", named.text);
}

#[test]
fn a_plugin_for_another_libtorch_is_refused() {
    let world = World::new();
    let text = patched(&world, "torch.so", |bytes, _| {
        let wanted = b"2.11.0";
        let places: Vec<usize> = (0..bytes.len() - 6).filter(|i| bytes[*i..].starts_with(wanted)).collect();
        assert!(!places.is_empty());
        places.into_iter().for_each(|place| bytes[place..place + 6].copy_from_slice(b"2.10.9"));
    });
    let message =
        "plugin torch.so: libtorch: found 2.10.9, wanted 2.11.0; rebuild the plugin against libtorch 2.11.0";
    assert!(text.contains(message), "{text}");
}
