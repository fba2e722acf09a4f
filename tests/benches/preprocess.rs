//! `plan_and_preprocess` against Python nnU-Net v1 and v2 on the same data, one after the other.
//!
//! ```sh
//! python3 -m venv v1 && v1/bin/pip install nnunet==1.7.1 torch==2.1.2 "numpy<1.24"
//! cargo verify   # builds the programs
//! python3 -m venv v2 && v2/bin/pip install nnunetv2==2.8.1 torch==2.11.0
//! NNUNET_V1=v1/bin NNUNET_V2=v2/bin cargo bench -p nnunet-tests --bench preprocess    # or one of them
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

use ndarray::Array3;
use nnunet_formats::nifti::{self, Geometry};
use nnunet_test_support::reference;
use nnunet_tests::cost::{self, Cost};
use nnunet_tests::{World, copy_folder, programs};

/// Threads of v1 and of this program beside it.
const THREADS: &str = "2";
/// Size and spacing (x, y, z) of the CT-like cases.
const CT_SIZE: [usize; 3] = [280, 280, 200];

fn main() {
    let programs = [V1, V2].into_iter().filter_map(|original| {
        let found = std::env::var_os(original.variable).map(PathBuf::from);
        if found.is_none() {
            println!(
                "set {} to the bin folder of an environment with {}",
                original.variable, original.package
            );
        }
        Some((original, found?))
    });
    for (original, python) in programs {
        let name = original.name;
        println!(
            "| data | {name} | this program | times faster | {name}'s peak memory | peak memory | share |"
        );
        println!("|---|---|---|---|---|---|---|");
        if let Some(folder) = reference("hippocampus/Task004_Hippocampus", "the hippocampus bench") {
            let world = World::new();
            copy_folder(&folder, &world.path("raw/nnUNet_raw_data/Task004_Hippocampus"));
            compare("hippocampus", &world, "Task004_Hippocampus", &original, &python);
        }
        let world = World::new();
        make_ct(&world.path("raw/nnUNet_raw_data/Task100_CT"));
        compare("4 CT-like cases of 200 x 280 x 280", &world, "Task100_CT", &original, &python);
    }
}

/// A program to compare with.
struct Original {
    name: &'static str,
    /// Names the folder with its commands.
    variable: &'static str,
    package: &'static str,
    command: &'static str,
    /// Arguments of this program before those that both have.
    ours: &'static [&'static str],
    /// Arguments of both before the number of the task.
    arguments: &'static [&'static str],
    /// Folders that it makes.
    made: &'static [&'static str],
}

const V1: Original = Original {
    name: "v1",
    variable: "NNUNET_V1",
    package: "nnunet==1.7.1",
    command: "nnUNet_plan_and_preprocess",
    ours: &["plan_and_preprocess"],
    arguments: &["-tl", THREADS, "-tf", THREADS, "-t"],
    made: &["preprocessed", "raw/nnUNet_cropped_data"],
};

/// With the default number of processes.
const V2: Original = Original {
    name: "v2",
    variable: "NNUNET_V2",
    package: "nnunetv2==2.8.1",
    command: "nnUNetv2_plan_and_preprocess",
    ours: &["v2", "plan_and_preprocess"],
    arguments: &["-d"],
    made: &["preprocessed"],
};

fn compare(title: &str, world: &World, task: &str, original: &Original, python: &Path) {
    let raw = world.path(&format!("raw/nnUNet_raw_data/{task}"));
    let nnunet = programs().join("nnunet");
    if original.name == "v2" {
        let name = task.replace("Task", "Dataset");
        let mut convert = Command::new(&nnunet);
        convert.args(["v2", "convert_old_nnUNet_dataset"]).arg(raw).arg(name);
        measure(&mut convert, world);
    }
    let arguments: Vec<&str> = original.arguments.iter().copied().chain([&task[4..7]]).collect();
    let theirs = measure(Command::new(python.join(original.command)).args(&arguments), world);
    for folder in original.made {
        std::fs::remove_dir_all(world.path(folder)).unwrap();
        std::fs::create_dir(world.path(folder)).unwrap();
    }
    let ours = measure(Command::new(&nnunet).args(original.ours).args(&arguments), world);
    println!(
        "| {title} | {:.1} s | {:.1} s | {:.1} | {:.0} MB | {:.0} MB | {:.2} |",
        theirs.seconds,
        ours.seconds,
        theirs.seconds / ours.seconds,
        theirs.megabytes,
        ours.megabytes,
        ours.megabytes / theirs.megabytes
    );
}

/// A program in the folders of `world`, and what it costs.
fn measure(command: &mut Command, world: &World) -> Cost {
    cost::measure(
        command
            .env("nnUNet_raw_data_base", world.path("raw"))
            .env("nnUNet_raw", world.path("raw"))
            .env("nnUNet_preprocessed", world.path("preprocessed"))
            .env("RESULTS_FOLDER", world.path("results"))
            .env("nnUNet_results", world.path("results")),
    )
}

/// Four volumes of soft tissue with an organ, at four spacings, so that three of them are resampled in all axes.
fn make_ct(folder: &Path) {
    for name in ["imagesTr", "labelsTr"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let mut training = Vec::new();
    for case in 0..4 {
        let scale = 1.0 + 0.15 * case as f64;
        let geometry = Geometry {
            size: CT_SIZE,
            spacing: [0.8 * scale, 0.8 * scale, 1.5 * scale],
            origin: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        let [x, y, z] = CT_SIZE;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(case + 1);
        let inside = |at: (usize, usize, usize)| {
            let from = |i: usize, n: usize| (i as f64 / n as f64 - 0.5) / 0.2;
            from(at.0, z).powi(2) + from(at.1, y).powi(2) + from(at.2, x).powi(2) < 1.0
        };
        let image = Array3::from_shape_fn((z, y, x), |at| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let tissue = if inside(at) { 120.0 } else { 40.0 };
            (tissue + (state % 41) as f32 - 20.0).round()
        });
        let label = Array3::from_shape_fn((z, y, x), |at| u8::from(inside(at)));
        nifti::write_image(&folder.join(format!("imagesTr/ct_{case}_0000.nii.gz")), image.view(), &geometry)
            .unwrap();
        nifti::write_labels(&folder.join(format!("labelsTr/ct_{case}.nii.gz")), label.view(), &geometry)
            .unwrap();
        training.push(serde_json::json!({
            "image": format!("./imagesTr/ct_{case}.nii.gz"), "label": format!("./labelsTr/ct_{case}.nii.gz")
        }));
    }
    let description = serde_json::json!({
        "name": "CT", "description": "", "reference": "", "licence": "", "release": "0", "tensorImageSize": "3D",
        "modality": { "0": "CT" }, "labels": { "0": "background", "1": "organ" },
        "numTraining": 4, "numTest": 0, "training": training, "test": []
    });
    std::fs::write(folder.join("dataset.json"), description.to_string()).unwrap();
}
