//! `predict` of a volume of 512 x 512 x 600 voxels with a model of 25 classes, within 6 GB of memory.
//!
//! ```sh
//! cargo verify   # builds the programs
//! cargo bench -p nnunet-tests --bench volume
//! ```
//!
//! The model is one of v1's format after a single step of training, with few features: its labels are as good as random,
//! which compresses badly and makes every rounding error visible.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench is a program for developers"
)]

use std::path::Path;

use ndarray::{Array3, s};
use nnunet_formats::nifti::{self, Geometry};
use nnunet_tests::World;
use nnunet_tests::cost::measure;

const RAW: &str = "raw/nnUNet_raw_data/Task902_Classes";
/// Labels, background included.
const CLASSES: usize = 25;
/// Size of the training cases, and their spacing (x, y, z): the network's.
const SMALL: [usize; 3] = [128, 128, 128];
const NETWORK_SPACING: [f64; 3] = [1.6, 1.6, 2.0];
/// The volume, and one of the same kind that is predicted twice.
const LARGE: [usize; 3] = [512, 512, 600];
const LESS: [usize; 3] = [160, 160, 200];
const SPACING: [f64; 3] = [0.8, 0.8, 1.0];
/// A planner and a trainer that make a model in seconds.
const SETTINGS: &str = r#"
[planners.Tiny]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansTiny"

[trainers.Step]
extends = "nnUNetTrainerV2_noDataAugmentation"
max_num_epochs = 1
num_batches_per_epoch = 1
num_val_batches_per_epoch = 1
batch_size = 2
"#;

fn main() {
    let world = World::new();
    make_model(&world);
    println!("| volume | --max-ram | peak memory | seconds |");
    println!("|---|---|---|---|");
    predict(&world, LESS, "unbounded", "64G");
    predict(&world, LESS, "bounded", "1M");
    let labels = |folder: &str| nifti::read(&world.path(&format!("{folder}/case.nii.gz"))).unwrap().data;
    assert_eq!(labels("unbounded"), labels("bounded"), "the labels depend on the memory there is");
    let peak = predict(&world, LARGE, "large", "6G");
    assert_eq!(labels("large").dim(), (LARGE[2], LARGE[1], LARGE[0]));
    assert!(peak < 6.0 * 1024.0, "{peak:.0} MB are more than 6 GB");
}

/// Prints what a prediction costs; its peak memory in MB.
fn predict(world: &World, size: [usize; 3], output: &str, limit: &str) -> f64 {
    let images = format!("images_{output}");
    std::fs::create_dir(world.path(&images)).unwrap();
    write_image(&world.path(&images).join("case_0000.nii.gz"), size, SPACING);
    let line = format!(
        "predict -i {images} -o {output} -t 902 -tr Step -p nnUNetPlansTiny -f all --disable_tta --step_size 1 \
         --max-ram {limit}"
    );
    let cost = measure(&mut world.command(&line));
    let [x, y, z] = size;
    println!("| {x} x {y} x {z} | {limit} | {:.0} MB | {:.0} |", cost.megabytes, cost.seconds);
    cost.megabytes
}

/// A task, its plans, and a checkpoint.
fn make_model(world: &World) {
    world.write("nnunet.toml", SETTINGS);
    for name in ["imagesTr", "labelsTr"] {
        std::fs::create_dir_all(world.path(RAW).join(name)).unwrap();
    }
    let cases = ["a", "b"];
    for case in cases {
        write_case(&world.path(RAW), case);
    }
    let training: Vec<_> = cases.map(|case| {
        serde_json::json!({ "image": format!("./imagesTr/{case}.nii.gz"), "label": format!("./labelsTr/{case}.nii.gz") })
    }).into();
    let labels: serde_json::Map<String, serde_json::Value> =
        (0..CLASSES).map(|label| (label.to_string(), format!("class {label}").into())).collect();
    let description = serde_json::json!({
        "name": "Classes", "description": "", "reference": "", "licence": "", "release": "0",
        "tensorImageSize": "3D", "modality": { "0": "MR" }, "labels": labels,
        "numTraining": cases.len(), "numTest": 0, "training": training, "test": []
    });
    world.write(&format!("{RAW}/dataset.json"), &description.to_string());
    world.succeed("plan_and_preprocess -t 902 -pl3d Tiny -pl2d None -tl 2 -tf 2");
    world.succeed("train 3d_fullres Step 902 all -p nnUNetPlansTiny --disable_validation_inference");
}

fn write_case(folder: &Path, case: &str) {
    write_image(&folder.join(format!("imagesTr/{case}_0000.nii.gz")), SMALL, NETWORK_SPACING);
    let [x, y, z] = SMALL;
    let mut labels = Array3::zeros((z, y, x));
    for class in 1..CLASSES {
        let start = class * 5;
        labels.slice_mut(s![start..start + 4, 8..120, 8..120]).fill(class as u8);
    }
    let path = folder.join(format!("labelsTr/{case}.nii.gz"));
    nifti::write_labels(&path, labels.view(), &geometry(SMALL, NETWORK_SPACING)).unwrap();
}

/// Blocks of tissue with a little noise, without a background to crop.
fn write_image(path: &Path, size: [usize; 3], spacing: [f64; 3]) {
    let [x, y, z] = size;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let image = Array3::from_shape_fn((z, y, x), |(k, j, i)| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (20 + (k / 24 + j / 20 + i / 20) % 7 * 16 + (state & 7) as usize) as f32
    });
    nifti::write_image(path, image.view(), &geometry(size, spacing)).unwrap();
}

fn geometry(size: [usize; 3], spacing: [f64; 3]) -> Geometry {
    Geometry { size, spacing, origin: [0.0; 3], direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0] }
}
