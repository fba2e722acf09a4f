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
use std::process::{Child, Command, Stdio};
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
        ("hook_train_end", "on_train_end: panicked: "),
        ("hook_metrics", "metrics: panicked: "),
        ("hook_is_best", "is_best: panicked: "),
        ("hook_predicts_with", "predicts_with: panicked: "),
        ("hook_state_dtype", "save_state: odd: expected floating-point numbers, got Int64"),
    ];
    for (fault, what) in faults {
        let outcome = train(&world, fault);
        assert_eq!(outcome.code, 1, "{fault}: {}", outcome.text);
        let message = format!("plugin misbehaving, trainer Misbehaving: {what}");
        assert!(outcome.text.contains(&message), "{fault}: `{message}` is missing in: {}", outcome.text);
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

/// The same for blocks within a network of the program, and for losses that see a whole batch.
#[test]
fn faults_of_blocks_and_of_losses_of_batches_are_contained_and_named() {
    let world = World::with_phantoms();
    for (fault, what) in [
        ("block_create", "plugin misbehaving, block OddBlock: panicked: "),
        ("block_build", "plugin misbehaving, block OddBlock: build: panicked: "),
        (
            "block_panic",
            "plugin misbehaving, block OddBlock: forward: panicked: the layer panics as requested at ",
        ),
        ("block_shape", "plugin misbehaving, block OddBlock: forward: output: expected ["),
        (
            "block_dtype",
            "plugin misbehaving, block OddBlock: forward: output: expected a floating-point tensor, got Int64",
        ),
        ("block_half", "block OddBlock: forward: not used again after it panicked"),
        ("block_nan", "loss NaN is not finite"),
        ("loss_parameters", "trainer Misbehaving: parameters: panicked: "),
        ("batch_panic", "trainer Misbehaving: of_batch: panicked: of_batch panics as requested at "),
        ("batch_nan", "trainer Misbehaving: of_batch: loss NaN is not finite"),
        ("batch_shape", "trainer Misbehaving: of_batch: loss: expected a scalar, got ["),
        ("batch_dtype", "trainer Misbehaving: of_batch: loss: expected a floating-point scalar, got Int64"),
        ("batch_no_gradient", "trainer Misbehaving: of_batch: the loss does not depend on the network"),
    ] {
        let outcome = train(&world, fault);
        assert!(outcome.code == 1 && outcome.text.contains(what), "{fault}: {what}: {}", outcome.text);
    }
}

/// The same for heads, in training and in the validation of whole cases.
#[test]
fn faults_of_heads_are_contained_and_named() {
    let world = World::with_phantoms();
    let named = |fault: &str, what: &str, outcome: &Outcome| {
        let message = format!("plugin misbehaving, head OddHead: {what}");
        assert!(outcome.code == 1 && outcome.text.contains(&message), "{fault}: {}", outcome.text);
    };
    for (fault, what) in [
        ("head_create", "panicked: "),
        ("head_facts", "facts: panicked: "),
        ("head_outputs", "outputs: panicked: "),
        ("head_none", "outputs: outputs: expected at least one, got 0"),
        ("head_targets_shape", "targets: targets: expected ["),
        ("head_targets_dtype", "targets: targets: expected Int64 or floating point, got Bool"),
        ("head_targets_nan", "targets: a target is not finite"),
    ] {
        named(fault, what, &train(&world, fault));
    }
    // Two threads make targets. The one that comes second may be heard first, and says the same.
    let panicked = train(&world, "head_targets");
    named("head_targets", "targets: ", &panicked);
    let why = "panicked: targets panics as requested at ";
    assert!(panicked.text.contains(why), "{}", panicked.text);
    let validated = line().replace("--disable_validation_inference", "");
    for (fault, what) in [
        ("head_scores", "scores: panicked: scores panics as requested at "),
        ("head_scores_shape", "scores: scores: expected ["),
        ("head_scores_nan", "scores: a score is not finite"),
        ("head_written", "written: panicked: written panics as requested at "),
        ("head_written_shape", "written: what is written: expected ["),
        ("head_written_kind", "written: what is written: expected Int64, got Float"),
    ] {
        named(fault, what, &world.run_with(&validated, &[("NNUNET_MISBEHAVE", fault)]));
    }
    let label = world.run_with(&validated, &[("NNUNET_MISBEHAVE", "head_written_label")]);
    let message = "the head wrote a label that is not between 0 and 65535";
    assert!(label.code == 1 && label.text.contains(message), "{}", label.text);
}

/// The same for a trainer's own split, and its own inference at the final validation.
#[test]
fn faults_of_splits_and_validations_are_contained_and_named() {
    let world = World::with_phantoms();
    let validated = line().replace("--disable_validation_inference", "");
    for (fault, what) in [
        ("split_panic", "split: panicked: split panics as requested at "),
        ("case_panic", "validate_case: panicked: validate_case panics as requested at "),
        ("case_nan", "validate_case: a score is not finite"),
        ("case_shape", "validate_case: scores: expected ["),
        ("case_dtype", "validate_case: scores: expected floating-point numbers, got Int64"),
        ("case_patch", "validate_case: "),
    ] {
        let outcome = world.run_with(&validated, &[("NNUNET_MISBEHAVE", fault)]);
        let message = format!("plugin misbehaving, trainer Misbehaving: {what}");
        assert!(outcome.code == 1 && outcome.text.contains(&message), "{fault}: {message}: {}", outcome.text);
    }
    for (fault, what) in [
        ("split_empty", "trainer Misbehaving: split: no validation cases"),
        ("split_twice", "trainer Misbehaving: split: case phantom_000 is there twice"),
        ("split_unknown", "trainer Misbehaving: split: there is no case nobody"),
        ("case_classes", "scores of validate_case: expected ["),
    ] {
        let outcome = world.run_with(&validated, &[("NNUNET_MISBEHAVE", fault)]);
        assert!(outcome.code == 1 && outcome.text.contains(what), "{fault}: {}", outcome.text);
    }
}

/// The same for schedules, samplers and transforms, which work without tensors.
#[test]
fn faults_of_schedules_samplers_and_transforms_are_contained_and_named() {
    let world = World::with_phantoms();
    for (fault, what) in [
        ("schedule_create", "panicked: "),
        ("schedule_every_step", "changes_every_step: panicked: "),
        ("schedule_panic", "learning_rate: panicked: the schedule panics as requested at "),
        ("schedule_nan", "learning_rate: learning rate NaN of epoch 0, step 0"),
        ("schedule_negative", "learning_rate: learning rate -"),
        ("schedule_epoch_ends", "epoch_ends: panicked: "),
        ("schedule_save", "save_state: panicked: "),
        ("sampler_create", "panicked: "),
        ("sampler_learns", "learns: panicked: "),
        ("sampler_begin", "begin: panicked: "),
        ("sampler_panic", "choose: panicked: the sampler panics as requested at "),
        ("sampler_case", "choose: there is no case 18446744073709551615: there are "),
        ("sampler_class", " has no voxels of class 77"),
        ("sampler_voxel_panic", "voxel: panicked: voxel panics as requested at "),
        ("sampler_voxel", "voxel: voxel "),
        ("sampler_observe", "observe: panicked: "),
        ("sampler_save", "save_state: panicked: "),
        ("transform_create", "panicked: "),
        ("transform_first_patch", "generator_patch: panicked: "),
        ("transform_first_small", "generator_patch: box: expected at least ["),
        ("transform_first_crop", "crop: panicked: "),
        ("transform_first_large", "crop: part: expected at most ["),
        ("transform_panic", "apply: panicked: the transform panics as requested at "),
        ("transform_nan", "apply: intensity NaN is not finite"),
        ("transform_shape", "apply: data: expected ["),
        ("transform_labels", "apply: seg: expected ["),
    ] {
        let outcome = train(&world, fault);
        let kind = fault.split('_').next().unwrap();
        let name = format!("plugin misbehaving, {kind} Odd{}{}: ", kind[..1].to_uppercase(), &kind[1..]);
        let is_named = outcome.text.lines().any(|line| line.contains(&name) && line.contains(what));
        assert!(outcome.code == 1 && is_named, "{fault}: {}", outcome.text);
    }
}

/// A state that was saved is refused when the training goes on.
#[test]
fn a_state_that_cannot_be_loaded_is_named() {
    let world = World::with_phantoms();
    for (fault, who) in [
        ("hook_load", "trainer Misbehaving"),
        ("schedule_load", "schedule OddSchedule"),
        ("sampler_load", "sampler OddSampler"),
    ] {
        let first = train(&world, fault);
        assert_eq!(first.code, 0, "{fault}: {}", first.text);
        let more = line().replace("--overwrite", "-c --set max_num_epochs=2");
        let outcome = world.run_with(&more, &[("NNUNET_MISBEHAVE", fault)]);
        let message = format!("plugin misbehaving, {who}: load_state: panicked: ");
        assert!(outcome.code == 1 && outcome.text.contains(&message), "{fault}: {}", outcome.text);
    }
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
    for (fault, what) in [
        (
            "hook_batch_device",
            "trainer Misbehaving: on_batch: images: expected a tensor on Cuda(1), got a tensor on Cuda(0)",
        ),
        (
            "batch_device",
            "trainer Misbehaving: of_batch: loss: expected a tensor on Cuda(1), got a tensor on Cuda(0)",
        ),
        (
            "block_device",
            "block OddBlock: forward: output: expected a tensor on Cuda(1), got a tensor on Cuda(0)",
        ),
        (
            "head_targets_device",
            "head OddHead: targets: targets: expected a tensor on Cpu, got a tensor on Cuda(0)",
        ),
        (
            "optimizer_device",
            "optimizer OddOptimizer: initial_state: odd: expected a tensor on Cuda(1), got a tensor on Cuda(0)",
        ),
    ] {
        let outcome = run(fault, "cuda:1");
        assert!(outcome.code == 1 && outcome.text.contains(what), "{fault}: {}", outcome.text);
    }
}

#[test]
fn what_does_no_harm_is_borne() {
    let world = World::with_phantoms();
    for fault in [
        "panic_in_drop",
        "leaked_no_grad",
        "hook_step_no_grad",
        "hook_metric_nan",
        "optimizer_no_grad",
        "block_no_grad",
        "batch_no_grad",
    ] {
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

/// Signals a training so many times, each time after it has said that it received the one before: two that are sent at once may be
/// received as one.
fn interrupt(child: &Child, lines: &mut impl Iterator<Item = String>, signals: usize) {
    for number in 0..signals {
        assert!(
            number == 0 || lines.any(|line| line.contains("interrupt again")),
            "the signal was not received"
        );
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    }
}

/// Starts a training that never comes back from the loss, and signals it once its epoch has begun, again after a while
/// when it is still there. Returns the exit code.
fn interrupted(world: &World, fault: &str, signals: usize) -> Option<i32> {
    let mut child =
        world.command(&line()).env("NNUNET_MISBEHAVE", fault).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("epoch:  0")), "{fault}: no epoch began");
    std::thread::sleep(Duration::from_millis(300));
    interrupt(&child, &mut lines, signals);
    lines.for_each(drop);
    child.wait().unwrap().code()
}

#[test]
fn an_endless_loop_ends_when_the_user_asks() {
    let world = World::with_phantoms();
    for fault in [
        "endless",
        "hook_step_endless",
        "block_endless",
        "schedule_endless",
        "sampler_endless",
        "head_endless",
        "transform_endless",
    ] {
        let code = interrupted(&world, fault, 1);
        assert_eq!(code, Some(3), "{fault}: it looks whether the user wants to stop");
    }
    for fault in [
        "deaf",
        "hook_step_deaf",
        "block_deaf",
        "schedule_deaf",
        "sampler_deaf",
        "head_deaf",
        "transform_deaf",
    ] {
        let code = interrupted(&world, fault, 2);
        assert_eq!(code, Some(130), "{fault}: it never looks; the second signal ends it");
    }
}

/// Starts a training with its validation that never comes back from a hook, and signals it once it waits there. Returns
/// the exit code.
fn interrupted_outside_of_epochs(world: &World, fault: &str, signals: usize) -> Option<i32> {
    let line = line().replace("--disable_validation_inference", "");
    let mut command = world.command(&line);
    let command = command.env("NNUNET_MISBEHAVE", fault).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut results = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("the plugin waits as requested")), "{fault}: it did not wait");
    interrupt(&child, &mut results, signals);
    results.for_each(drop);
    child.wait().unwrap().code()
}

#[test]
fn a_split_or_validation_that_never_returns_ends_when_the_user_asks() {
    let world = World::with_phantoms();
    for fault in ["split_endless", "case_endless"] {
        assert_eq!(interrupted_outside_of_epochs(&world, fault, 1), Some(3), "{fault}");
    }
    for fault in ["split_deaf", "case_deaf"] {
        assert_eq!(interrupted_outside_of_epochs(&world, fault, 2), Some(130), "{fault}");
    }
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
