//! Trainings as several processes that share batches.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nnunet_formats::{pickle, torch_zip};
use nnunet_tests::{World, contents, plugin, rehearsal};
use serde_json::Value;

/// Trainers of 20 steps.
const TRAINERS: &str = r#"
[trainers.Twenty]
extends = "Short"
max_num_epochs = 4
num_batches_per_epoch = 5
batch_size = 3
initial_lr = 0.001
save_every = 1
mirror_axes = []
"#;
const REST: &str = "Twenty 900 0 -p nnUNetPlansSmall --disable_validation_inference --fp32 --deterministic";

/// None where this build cannot train with several processes.
fn planned() -> Option<World> {
    let world = World::with_phantoms_in_2d(TRAINERS);
    has_ranks(&world).then_some(world)
}

fn fold(world: &World, configuration: &str) -> PathBuf {
    world.path(&format!("results/nnUNet/{configuration}/Task900_Phantom/Twenty__nnUNetPlansSmall/fold_0"))
}

/// Weights and momentum of a finished fold, and its losses and metrics.
#[derive(Debug, PartialEq)]
struct State {
    weights: Vec<Vec<f32>>,
    momentum: Vec<Vec<f32>>,
    curves: Vec<f64>,
}

/// Takes the result of a training, and removes it.
fn taken(fold: &Path) -> State {
    let checkpoint = torch_zip::load(&fold.join("model_final_checkpoint.model")).unwrap();
    let entries = checkpoint.root.get("state_dict").unwrap().entries().unwrap();
    let is_weight = |index: usize| entries.iter().any(|(_, value)| *value == pickle::Value::Tensor(index));
    let floats = checkpoint.tensors.iter().enumerate().filter(|(_, tensor)| tensor.storage == "Float");
    let numbers = |data: &[u8]| -> Vec<f32> {
        data.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let (weights, momentum): (Vec<_>, Vec<_>) = floats.partition(|(index, _)| is_weight(*index));
    let [weights, momentum] = [weights, momentum]
        .map(|all| all.iter().map(|(_, tensor)| numbers(&tensor.data)).collect::<Vec<_>>());
    assert!(!weights.is_empty() && !momentum.is_empty());
    let curves = epochs(fold).into_values().flatten().collect();
    let state = State { weights, momentum, curves };
    std::fs::remove_dir_all(fold).unwrap();
    state
}

/// Losses and metric of each epoch; of the last time where it was trained again.
fn epochs(fold: &Path) -> BTreeMap<u64, [f64; 3]> {
    let logs =
        contents(fold).into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "jsonl"));
    let mut found = BTreeMap::new();
    for line in
        logs.flat_map(|(_, bytes)| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>())
    {
        let Ok(event) = serde_json::from_slice::<Value>(&line) else { continue };
        if event["event"] == "epoch" {
            let values =
                ["train_loss", "validation_loss", "metric"].map(|name| event[name].as_f64().unwrap());
            found.insert(event["epoch"].as_u64().unwrap(), values);
        }
    }
    found
}

fn assert_close(found: &State, expected: &State, what: &str) {
    assert_eq!(found.curves.len(), 12, "{what}");
    for (found, expected) in found.curves.iter().zip(&expected.curves) {
        assert!((found - expected).abs() < 1e-4, "{what}: {found} instead of {expected}");
    }
    let pairs = found.weights.iter().flatten().zip(expected.weights.iter().flatten());
    let largest = pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-4, "{what}: weights differ by {largest}");
}

/// Two processes that share batches of three samples train as one process does, with the Dice of the whole batch and without.
/// Sums are rounded in another order, and with a larger learning rate the last bits grow to more than the tolerance in 20 steps.
#[test]
fn two_processes_train_as_one_does() {
    let Some(world) = planned() else { return };
    for (configuration, batch_dice) in
        [("2d", true), ("2d", false), ("3d_fullres", true), ("3d_fullres", false)]
    {
        let what = format!("{configuration}, batch_dice {batch_dice}");
        let line = format!("train {configuration} {REST} --device cpu --set batch_dice={batch_dice}");
        world.succeed(&line);
        let one = taken(&fold(&world, configuration));
        let said = world.succeed(&format!("launch --nproc 2 -- {line}"));
        assert!(said.contains("[1] rank 1 of 2"), "{said}");
        assert!(said.contains("[0] ") && !said.contains("[1] epoch"), "{said}");
        assert_close(&taken(&fold(&world, configuration)), &one, &what);
    }
}

/// A build without c10d says so instead of training; the tests here then have nothing to try.
fn has_ranks(world: &World) -> bool {
    let said = world.succeed("doctor --device cpu");
    if said.contains("training with several processes: not in this build") {
        let outcome = world.run(&format!("launch --nproc 2 -- train 2d {REST} --device cpu"));
        let sentence = "this build was made without libtorch's c10d";
        assert!(outcome.code != 0 && outcome.text.contains(sentence), "{}", outcome.text);
        eprintln!("not tried: {sentence}");
        return false;
    }
    assert!(said.contains("training with several processes: gloo"), "{said}");
    true
}

/// A sampler that learns from losses learns the same, in the same order.
#[test]
fn samplers_learn_what_they_learn_in_one_process() {
    let Some(world) = planned() else { return };
    world.configure("\n[trainers.Learning]\nextends = \"Twenty\"\nsampler = \"HardCases\"\n");
    let fold = PathBuf::from(fold(&world, "3d_fullres").display().to_string().replace("Twenty", "Learning"));
    let file = plugin("hard_case_sampler");
    let line = format!("train 3d_fullres {REST} --device cpu").replace("Twenty", "Learning");
    world.succeed(&format!("--plugin {} {line}", file.display()));
    let learned = || {
        let checkpoint = torch_zip::load(&fold.join("model_final_checkpoint.model")).unwrap();
        let sampler = checkpoint.root.get("nnunet").unwrap().get("sampler").unwrap().clone();
        let text = sampler.get("values").and_then(pickle::Value::as_str).unwrap().to_owned();
        serde_json::from_str::<BTreeMap<String, f64>>(&text).unwrap()
    };
    let (one_learned, one) = (learned(), taken(&fold));
    world.succeed(&format!("--plugin {} launch --nproc 2 -- {line}", file.display()));
    let (two_learned, two) = (learned(), taken(&fold));
    assert!(!one_learned.is_empty() && two_learned.keys().eq(one_learned.keys()), "{two_learned:?}");
    for (found, expected) in two_learned.values().zip(one_learned.values()) {
        assert!((found - expected).abs() < 1e-4, "{two_learned:?} instead of {one_learned:?}");
    }
    assert_close(&two, &one, "a sampler that learns");
}

/// The variables of SLURM do what those of torchrun do; different arguments are an error of all.
#[test]
fn slurm_starts_processes_too() {
    let Some(world) = planned() else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let start = |rank: &str, line: &str| {
        let mut command = world.command(line);
        command.env("SLURM_STEP_NUM_TASKS", "2").env("SLURM_PROCID", rank).env("SLURM_LOCALID", rank);
        command.env("SLURM_JOB_ID", "1").env("SLURM_STEP_NODELIST", "localhost").env("MASTER_PORT", &port);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let line = format!("train 2d {REST} --device cpu");
    for (other, code, text) in
        [(line.clone(), 0, "they meet at localhost"), (format!("{line} --npz"), 1, "rank 1 was started with")]
    {
        let both = [start("0", &line), start("1", &other)];
        for child in both {
            let output = child.wait_with_output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(said.contains(text), "{said}");
        }
        if code == 0 {
            let _state = taken(&fold(&world, "2d"));
        }
    }
}

/// Starts a training, and kills one process when the second epoch has begun.
fn kill_one(world: &World, line: &str, rank: usize) -> (Option<i32>, String, Duration) {
    let mut command: Command = world.command(line);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let errors = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || {
        BufReader::new(errors).lines().map_while(Result::ok).map(|line| line + "\n").collect::<String>()
    });
    let (mut said, mut killed) = (String::new(), None);
    for text in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if text.contains("epoch:  1") && killed.is_none() {
            let id = child.id();
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
            let victim = children.split_whitespace().nth(rank).unwrap().to_owned();
            assert!(Command::new("kill").args(["-KILL", &victim]).status().unwrap().success());
            killed = Some(Instant::now());
        }
        said += &(text + "\n");
    }
    let code = child.wait().unwrap().code();
    (code, said + &errors.join().unwrap(), killed.expect("a second epoch").elapsed())
}

/// The others end soon and name the process; started again, they go on from the checkpoint to the same bits.
#[test]
fn a_process_that_is_killed_ends_all_or_is_started_again() {
    let Some(world) = planned() else { return };
    let train = format!("train 2d {REST} --device cpu");
    world.succeed(&format!("launch --nproc 2 -- {train}"));
    let whole = taken(&fold(&world, "2d"));
    for rank in [1, 0] {
        let (code, said, time) = kill_one(&world, &format!("launch --nproc 2 -- {train}"), rank);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("rank {rank} of 2 has ended with signal: 9")), "{said}");
        assert!(said.contains(&format!("[{}] ", 1 - rank)), "{said}");
        assert!(
            said.contains(&format!("rank {rank} has ended")),
            "the other process does not name it: {said}"
        );
        assert!(time < Duration::from_secs(30), "{time:?}");
        std::fs::remove_dir_all(fold(&world, "2d")).unwrap();
    }
    let (code, said, _) = kill_one(&world, &format!("launch --nproc 2 --max-restarts 1 -- {train}"), 1);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("starting all again (1 of 1)"), "{said}");
    assert!(taken(&fold(&world, "2d")) == whole, "it differs from an uninterrupted training");
}

/// Two processes on two GPUs train as two on the CPU do. The GPUs are those of the tests, which compute on the CPU.
#[test]
fn processes_on_gpus_train_as_on_the_cpu() {
    let Some(world) = planned().map(World::with_libtorch_operators) else { return };
    for configuration in ["2d", "3d_fullres"] {
        let line =
            |device: &str| format!("launch --nproc 2 -- train {configuration} {REST} --device {device}");
        world.succeed(&line("cpu"));
        let expected = taken(&fold(&world, configuration));
        let outcome = world.run_beside_gpu(&line("cuda"), &[("REHEARSAL_GPUS", "2")]);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        assert!(outcome.text.contains("[0] device: cuda:0") && outcome.text.contains("[1] device: cuda:1"));
        assert!(outcome.text.contains("by gloo through main memory"), "{}", outcome.text);
        assert_close(&taken(&fold(&world, configuration)), &expected, configuration);
    }
}

/// The same through NCCL's functions, of a library that stands in for it: gradients are added up on a stream of their own,
/// while the backward pass runs, and all ranks call the same functions in the same order.
#[test]
fn gradients_go_through_nccl_where_it_is_there() {
    let Some(world) = planned().map(World::with_libtorch_operators) else { return };
    let line = |device: &str| format!("launch --nproc 2 -- train 3d_fullres {REST} --device {device}");
    world.succeed(&line("cpu"));
    let expected = taken(&fold(&world, "3d_fullres"));
    let (library, calls) =
        (rehearsal::nccl().display().to_string(), world.path("calls").display().to_string());
    let variables = [
        ("REHEARSAL_GPUS", "2"),
        ("LD_LIBRARY_PATH", library.as_str()),
        ("NNUNET_NCCL_CALLS", calls.as_str()),
    ];
    let outcome = world.run_beside_gpu(&line("cuda"), &variables);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("exchanged by NCCL 2.28.9"), "{}", outcome.text);
    assert_close(&taken(&fold(&world, "3d_fullres")), &expected, "NCCL");
    let [first, second] = [0, 1].map(|rank| std::fs::read_to_string(format!("{calls}{rank}")).unwrap());
    let (first, second) = (first.split_once('\n').unwrap(), second.split_once('\n').unwrap());
    assert_eq!((first.0, second.0), ("init 0 of 2", "init 1 of 2"));
    assert!(first.1 == second.1, "the ranks call other functions");
    for call in ["broadcast ", "sum "] {
        assert!(first.1.lines().filter(|line| line.starts_with(call)).count() >= 20, "{call}: {}", first.1);
    }
    assert!(first.1.lines().all(|line| line.ends_with("on stream 1")), "{}", first.1);
    let said = world.run_beside_gpu("doctor --device cuda:1", &variables).text;
    assert!(said.contains("training with several processes: gloo; between GPUs NCCL 2.28.9"), "{said}");
    // Two processes on one GPU cannot use it.
    let same = line("cuda:1").replace("cuda:1", "cuda:1 --set max_num_epochs=1");
    let outcome = world.run_beside_gpu(&same, &variables);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("since the ranks 0 and 1 have the same GPU"), "{}", outcome.text);
}

/// v1's commands: the planned batch for each device, or with --dbs for all of them.
#[test]
fn v1s_parallel_commands_share_batches_or_multiply_them() {
    let Some(world) = planned() else { return };
    let line = format!("3d_fullres {REST} --device cpu --set max_num_epochs=1");
    for (flags, batch) in [("-gpus 2", 6), ("-gpus 2 --dbs", 3)] {
        let said = world.succeed(&format!("train_DP {line} {flags} --overwrite"));
        assert!(said.contains(&format!("batch {batch},")), "{flags}: {said}");
    }
}

/// Stopped by a signal to the launcher, a training of two processes is continued by one.
#[test]
fn another_number_of_processes_continues() {
    let Some(world) = planned() else { return };
    let train = format!("train 2d {REST} --device cpu");
    world.succeed(&train);
    let whole = taken(&fold(&world, "2d"));
    let mut launcher = world.command(&format!("launch --nproc 2 -- {train}"));
    let mut launcher = launcher.stdout(Stdio::piped()).spawn().unwrap();
    for line in BufReader::new(launcher.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if line.contains("epoch:  1") {
            let id = launcher.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        }
    }
    assert_eq!(launcher.wait().unwrap().code(), Some(3), "the exit code of what was stopped");
    let said = world.succeed(&format!("{train} -c"));
    assert!(!said.contains("epoch:  0"), "it began again: {said}");
    assert_close(&taken(&fold(&world, "2d")), &whole, "continued");
}

/// Two network namespaces are two hosts for the processes in them.
#[test]
fn two_hosts_train_as_one_does() {
    let world = World::new();
    if !has_ranks(&world) {
        return;
    }
    let said = world.flow("ranks_on_two_hosts.sh", &[]);
    eprintln!("{}", said.lines().last().unwrap_or_default());
}

/// v2's flag for the number of devices starts a process for each; they share the planned batch.
#[test]
fn a_training_of_v2_has_a_process_for_each_device() {
    let world = World::with_phantoms_of_v2();
    if !has_ranks(&world) {
        return;
    }
    world.configure("\n[trainers.Few]\nextends = \"Short\"\nnum_batches_per_epoch = 3\ninitial_lr = 0.001\n");
    let fold = world.path("nnUNet_results/Dataset900_Phantom/Few__nnUNetPlansSmall__3d_fullres/fold_0");
    let line = "v2 train 900 3d_fullres 0 -tr Few -p nnUNetPlansSmall -device cpu --fp32 --deterministic";
    world.succeed(line);
    let one = epochs(&fold);
    std::fs::remove_dir_all(&fold).unwrap();
    let said = world.succeed(&format!("{line} -num_gpus 2"));
    assert!(said.contains("[1] rank 1 of 2"), "{said}");
    assert!(fold.join("checkpoint_final.pth").is_file() && fold.join("validation/summary.json").is_file());
    let two = epochs(&fold);
    assert!(!two.is_empty() && two.keys().eq(one.keys()));
    for (found, expected) in two.values().flatten().zip(one.values().flatten()) {
        assert!((found - expected).abs() < 1e-4, "{two:?} instead of {one:?}");
    }
}
