//! A training from the start of the program to its end, against Python nnU-Net v1 and v2 on the CPU: 40 cases of the
//! hippocampus with the plan that each makes for all 260 (batch 9), one epoch of few batches; v2's ends with the validation.
//!
//! ```sh
//! python3 -m venv v1 && v1/bin/pip install nnunet==1.7.1 torch==2.1.2 "numpy<1.24"
//! python3 -m venv v2 && v2/bin/pip install nnunetv2==2.8.1 torch==2.11.0
//! cargo verify   # builds the programs
//! NNUNET_V1=v1/bin NNUNET_V2=v2/bin cargo bench -p nnunet-tests --bench train
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench is a program for developers"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use nnunet_test_support::reference;
use nnunet_tests::cost::{Cost, measure};
use nnunet_tests::{World, copy_folder};

/// The plan, and the batches of the epoch as benches/train.py has them.
const PROJECT: &str = r#"
# 40 of 260 cases: the whole data set has the batch for a share of 0.05.
[planners.WholeBatch]
extends = "ExperimentPlanner3D_v21"
max_batch_share = 0.325
plans_identifier = "nnUNetPlansv2.1"

[planners.WholeBatchV2]
extends = "nnUNetPlanner"

[planners.WholeBatchV2.v2]
max_batch_share = 0.325
plans_identifier = "WholeBatch"

[trainers.Brief]
extends = "nnUNetTrainerV2"
max_num_epochs = 1
num_batches_per_epoch = 8
num_val_batches_per_epoch = 1
precision = "fp32"

[trainers.BriefBf16]
extends = "Brief"
precision = "bf16"

[trainers.BriefV2]
extends = "nnUNetTrainer"
max_num_epochs = 1
num_batches_per_epoch = 8
num_val_batches_per_epoch = 1
precision = "fp32"

[trainers.BriefV2Bf16]
extends = "BriefV2"
precision = "bf16"
"#;

fn main() {
    let Some(data) = reference("hippocampus/Task004_Hippocampus", "the bench of train") else { return };
    println!("| program | s | times faster | peak memory | share |\n|---|---|---|---|---|");
    if let Some(python) = python("NNUNET_V1") {
        beside_v1(&data, &python);
    }
    if let Some(python) = python("NNUNET_V2") {
        beside_v2(&data, &python);
    }
}

fn python(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable);
    if folder.is_none() {
        println!("set {variable} to the bin folder of an environment with that version");
    }
    Some(std::path::absolute(folder?).unwrap().join("python"))
}

fn beside_v1(data: &Path, python: &Path) {
    let world = World::new();
    copy_folder(data, &world.path("raw/nnUNet_raw_data/Task004_Hippocampus"));
    world.write("nnunet.toml", PROJECT);
    world.succeed("plan_and_preprocess -t 4 -pl3d WholeBatch -pl2d None -tl 2 -tf 2");
    let folders = [
        ("nnUNet_raw_data_base", "raw"),
        ("nnUNet_preprocessed", "preprocessed"),
        ("RESULTS_FOLDER", "results"),
    ];
    let v1 = measure(&mut original(&world, python, &["train.py"], &folders));
    row("Python v1, fp32", v1, v1);
    for (format, trainer) in [("fp32", "Brief"), ("bf16", "BriefBf16")] {
        let line = format!("train 3d_fullres {trainer} 4 0 --disable_validation_inference");
        row(&format!("this program as v1, {format}"), measure(&mut world.command(&line)), v1);
    }
}

fn beside_v2(data: &Path, python: &Path) {
    let world = World::new();
    world.write("nnunet.toml", PROJECT);
    let folders =
        [("nnUNet_raw", "raw"), ("nnUNet_preprocessed", "preprocessed"), ("nnUNet_results", "results")];
    let ours = |line: &str| {
        let mut command = world.command(line);
        for (variable, folder) in folders {
            command.env(variable, world.path(folder));
        }
        measure(&mut command)
    };
    let _ = ours(&format!("v2 convert_old_nnUNet_dataset {} Dataset004_Hippocampus", data.display()));
    let _ = ours("v2 plan_and_preprocess -d 4 -pl WholeBatchV2 -c 3d_fullres");
    let v2 = measure(&mut original(&world, python, &["train_v2.py", "WholeBatch"], &folders));
    row("Python v2, fp32", v2, v2);
    for (format, trainer) in [("fp32", "BriefV2"), ("bf16", "BriefV2Bf16")] {
        let cost = ours(&format!("v2 train 4 3d_fullres 0 -tr {trainer} -p WholeBatch -device cpu"));
        row(&format!("this program as v2, {format}"), cost, v2);
    }
}

/// A script of this folder.
fn original(world: &World, python: &Path, words: &[&str], folders: &[(&str, &str)]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(words[0]);
    let mut command = Command::new(python);
    command.arg(script).args(&words[1..]).current_dir(world.path("")).env("nnUNet_compile", "false");
    for (variable, folder) in folders {
        command.env(variable, world.path(folder));
    }
    command
}

fn row(title: &str, cost: Cost, v1: Cost) {
    println!(
        "| {title} | {:.1} s | {:.1} | {:.0} MB | {:.2} |",
        cost.seconds,
        v1.seconds / cost.seconds,
        cost.megabytes,
        cost.megabytes / v1.megabytes
    );
}
