//! `predict` of one patch with networks of nnU-Net v2 on one thread of the CPU, against OpenVINO with the same networks, in turn.
//! The whole process of this program counts, and of OpenVINO the forward pass and the time until the network is loaded.
//!
//! ```sh
//! python3 -m venv v2 && v2/bin/pip install nnunetv2==2.8.1 torch==2.11.0 openvino==2026.4
//! cargo verify   # builds the programs
//! NNUNET_V2=v2/bin cargo bench -p nnunet-tests --bench openvino
//! ```
//!
//! The variable `NNUNET_BENCH_NETS` may name a folder where the models stay for the next time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench is a program for developers"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use nnunet_tests::World;
use nnunet_tests::cost::{Cost, measure};

/// Runs of each program; the fastest counts.
const RUNS: usize = 5;
const MODEL: &str = "nnUNetTrainer__nnUNetPlans__3d_fullres";

fn main() {
    let Some(python) = std::env::var_os("NNUNET_V2").map(PathBuf::from) else {
        println!("set NNUNET_V2 to the bin folder of an environment with nnunetv2 and openvino");
        return;
    };
    let python = std::path::absolute(python).unwrap().join("python");
    let world = World::new();
    let nets = std::env::var_os("NNUNET_BENCH_NETS").map_or_else(|| world.path("nets"), PathBuf::from);
    println!(
        "| network | program | s | processor s | peak memory | page faults |\n|---|---|---|---|---|---|"
    );
    for net in ["hippocampus", "large"] {
        let folder = std::path::absolute(nets.join(net)).unwrap();
        if !folder.is_dir() {
            std::fs::create_dir_all(&folder).unwrap();
            run(script(&python).args(["write", net]).arg(&folder));
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            theirs.push(openvino(&python, &folder));
            ours.push(measure(&mut predict(&world, &folder)));
        }
        row(net, "OpenVINO, load and forward", fastest(theirs));
        row(net, "this program, whole process", fastest(ours));
    }
}

fn script(python: &Path) -> Command {
    let mut command = Command::new(python);
    // -P: this folder has a file that is called as the package is.
    command.arg("-P").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/openvino.py"));
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Its own seconds; all else is of the whole process.
fn openvino(python: &Path, folder: &Path) -> Cost {
    let result = folder.join("result");
    let cost = measure(script(python).args([Path::new("run"), folder, Path::new("1"), &result]));
    let text = std::fs::read_to_string(&result).unwrap();
    Cost { seconds: text.split_whitespace().map(|seconds| seconds.parse::<f64>().unwrap()).sum(), ..cost }
}

fn predict(world: &World, folder: &Path) -> Command {
    let (images, model) = (folder.join("images"), folder.join(MODEL));
    let mut command =
        world.command("predict -o predicted -f 0 --disable_tta --precision fp32 --overwrite_existing");
    command.arg("-i").arg(images).arg("--model-folder").arg(model).env("OMP_NUM_THREADS", "1");
    command
}

fn fastest(costs: Vec<Cost>) -> Cost {
    costs.into_iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap()
}

fn row(net: &str, program: &str, cost: Cost) {
    let Cost { seconds, processor_seconds, megabytes, page_faults } = cost;
    println!(
        "| {net} | {program} | {seconds:.2} | {processor_seconds:.2} | {megabytes:.0} MB | {page_faults:.0} |"
    );
}
