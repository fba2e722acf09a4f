//! A training from the start of the program to its end, against Python nnU-Net v1 on the CPU: 40 cases of the
//! hippocampus with the plan that v1 makes for all 260 (batch 9), one epoch of few batches, no validation.
//!
//! ```sh
//! python3 -m venv v1 && v1/bin/pip install nnunet==1.7.1 torch==2.1.2 "numpy<1.24"
//! cargo verify   # builds the programs
//! NNUNET_V1=v1/bin cargo bench -p nnunet-tests --bench train
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

[trainers.Brief]
extends = "nnUNetTrainerV2"
max_num_epochs = 1
num_batches_per_epoch = 8
num_val_batches_per_epoch = 1
precision = "fp32"

[trainers.BriefBf16]
extends = "Brief"
precision = "bf16"
"#;

fn main() {
    let Some(python) = std::env::var_os("NNUNET_V1").map(PathBuf::from) else {
        println!("set NNUNET_V1 to the bin folder of an environment with nnunet==1.7.1");
        return;
    };
    let Some(data) = reference("hippocampus/Task004_Hippocampus", "the bench of train") else { return };
    let world = World::new();
    copy_folder(&data, &world.path("raw/nnUNet_raw_data/Task004_Hippocampus"));
    world.write("nnunet.toml", PROJECT);
    world.succeed("plan_and_preprocess -t 4 -pl3d WholeBatch -pl2d None -tl 2 -tf 2");
    println!("| program | s | times faster | peak memory | share |\n|---|---|---|---|---|");
    let v1 = measure(&mut v1(&world, &python));
    row("Python v1, fp32", v1, v1);
    for (format, trainer) in [("fp32", "Brief"), ("bf16", "BriefBf16")] {
        let line = format!("train 3d_fullres {trainer} 4 0 --disable_validation_inference");
        row(&format!("this program, {format}"), measure(&mut world.command(&line)), v1);
    }
}

fn v1(world: &World, python: &Path) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/train.py");
    let mut command = Command::new(std::path::absolute(python).unwrap().join("python"));
    command
        .arg(script)
        .current_dir(world.path(""))
        .env("nnUNet_raw_data_base", world.path("raw"))
        .env("nnUNet_preprocessed", world.path("preprocessed"))
        .env("RESULTS_FOLDER", world.path("results"));
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
