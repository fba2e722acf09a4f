//! `predict` against Python nnU-Net v1 and v2 on the CPU, with their own models, one after the other.
//!
//! ```sh
//! python3 -m venv v1 && v1/bin/pip install nnunet==1.7.1 torch==2.1.2 "numpy<1.24"
//! python3 -m venv v2 && v2/bin/pip install nnunetv2==2.8.1 torch==2.11.0
//! cargo verify   # builds the programs
//! NNUNET_V1=v1/bin NNUNET_V2=v2/bin cargo bench -p nnunet-tests --bench predict [-- WORDS]
//! ```
//!
//! Only rows that have all words, for example `large yes v1`: the mirrored large case takes Python most of an hour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a bench is a program for developers"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array3, Axis, concatenate, s};
use nnunet_formats::nifti::{self, Geometry};
use nnunet_test_support::{files, reference};
use nnunet_tests::cost::{Cost, measure};
use nnunet_tests::{World, copy_folder};

const V1_MODEL: &str = "results/nnUNet/3d_fullres/Task004_Hippocampus/nnUNetTrainerV2__nnUNetPlansSmall";
const V2_RESULTS: &str = "results_v2";
/// The large case, (z, y, x).
const LARGE: [usize; 3] = [200, 280, 280];

/// A model, the Python program it is from and this program's arguments for it.
struct Rival {
    name: &'static str,
    program: PathBuf,
    arguments: &'static str,
    ours: String,
}

fn main() {
    let python = ["NNUNET_V1", "NNUNET_V2"].map(|name| std::env::var_os(name).map(PathBuf::from));
    let [Some(v1), Some(v2)] = python else {
        println!(
            "set NNUNET_V1 and NNUNET_V2 to bin folders of environments with nnunet==1.7.1 and nnunetv2"
        );
        return;
    };
    let folder = |name| reference(name, "the bench of predict");
    let (Some(model_v1), Some(model_v2), Some(cases)) = (
        folder(
            "model_v1/results/nnUNet/3d_fullres/Task004_Hippocampus/nnUNetTrainerV2_tiny__nnUNetPlansSmall",
        ),
        folder("model_v2/results"),
        folder("hippocampus/Task004_Hippocampus/imagesTs"),
    ) else {
        return;
    };
    let world = World::new();
    copy_folder(&model_v1, &world.path(V1_MODEL));
    world.succeed(&format!("change_trainer_class -i {V1_MODEL} -tr nnUNetTrainerV2"));
    copy_folder(&model_v2, &world.path(V2_RESULTS));
    copy_folder(&cases, &world.path("hippocampus"));
    make_large(&files(&cases, ".nii.gz")[0], &world.path("large"));
    let rivals = [rival_v1(&v1), rival_v2(&v2)];
    println!(
        "| data | mirroring | model | format | Python | this program | times faster | labels equal | Python's peak memory | \
         peak memory | share |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for images in ["hippocampus", "large"] {
        for mirroring in ["no", "yes"] {
            let is_wanted = |rival: &&Rival| {
                words.iter().all(|word| [images, mirroring, rival.name].contains(&word.as_str()))
            };
            rivals.iter().filter(is_wanted).for_each(|rival| compare(&world, rival, images, mirroring));
        }
    }
}

fn rival_v1(bin: &Path) -> Rival {
    Rival {
        name: "v1",
        program: bin.join("nnUNet_predict"),
        arguments: "-t Task004_Hippocampus -m 3d_fullres -tr nnUNetTrainerV2 -p nnUNetPlansSmall -f 0 \
                    --disable_mixed_precision",
        ours: format!("--model-folder {V1_MODEL} -f 0"),
    }
}

fn rival_v2(bin: &Path) -> Rival {
    let model = "nnUNetTrainer__nnUNetPlansSmall__3d_fullres";
    Rival {
        name: "v2",
        program: bin.join("nnUNetv2_predict"),
        arguments: "-d 4 -c 3d_fullres -tr nnUNetTrainer -p nnUNetPlansSmall -f 0 -device cpu -npp 2 -nps 2",
        ours: format!("--model-folder {V2_RESULTS}/Dataset004_Hippocampus/{model} -f 0"),
    }
}

fn compare(world: &World, rival: &Rival, images: &str, mirroring: &str) {
    let mirror = if mirroring == "yes" { "" } else { "--disable_tta" };
    let line = |output: &str, model: &str| format!("-i {images} -o {output} {model} {mirror}");
    let theirs = format!("python_{}_{images}_{mirroring}", rival.name);
    let python = python(world, &rival.program, &line(&theirs, rival.arguments));
    for format in ["fp32", "bf16"] {
        let ours = format!("{format}_{}_{images}_{mirroring}", rival.name);
        let line = line(&ours, &rival.ours);
        let program = measure(&mut world.command(&format!("predict {line} --precision {format}")));
        println!(
            "| {images} | {mirroring} | {} | {format} | {:.1} s | {:.1} s | {:.1} | {:.3} % | {:.0} MB | {:.0} MB | {:.2} |",
            rival.name,
            python.seconds,
            program.seconds,
            python.seconds / program.seconds,
            100.0 * agreement(&world.path(&theirs), &world.path(&ours)),
            python.megabytes,
            program.megabytes,
            program.megabytes / python.megabytes
        );
    }
}

fn python(world: &World, program: &Path, line: &str) -> Cost {
    measure(
        Command::new(std::path::absolute(program).unwrap())
            .args(line.split_whitespace())
            .current_dir(world.path(""))
            .env("nnUNet_raw_data_base", world.path("raw"))
            .env("nnUNet_raw", world.path("raw"))
            .env("nnUNet_preprocessed", world.path("preprocessed"))
            .env("RESULTS_FOLDER", world.path("results"))
            .env("nnUNet_results", world.path(V2_RESULTS)),
    )
}

/// Share of voxels with the same label, over all cases.
fn agreement(a: &Path, b: &Path) -> f64 {
    let mut voxels = [0_usize; 2];
    for path in files(a, ".nii.gz") {
        let [a, b] = [&path, &b.join(path.file_name().unwrap())].map(|path| nifti::read(path).unwrap().data);
        voxels[0] += a.iter().zip(&b).filter(|(a, b)| a == b).count();
        voxels[1] += a.len();
    }
    voxels[0] as f64 / voxels[1] as f64
}

/// One case beside and below itself until it is large.
fn make_large(case: &Path, folder: &Path) {
    let image = nifti::read(case).unwrap();
    let mut data: Array3<f32> = image.data;
    for (axis, size) in LARGE.into_iter().enumerate() {
        let copies = size.div_ceil(data.len_of(Axis(axis)));
        data = concatenate(Axis(axis), &vec![data.view(); copies]).unwrap();
    }
    let [z, y, x] = LARGE;
    let geometry = Geometry { size: [x, y, z], ..image.geometry };
    std::fs::create_dir(folder).unwrap();
    nifti::write_image(&folder.join("large_0000.nii.gz"), data.slice(s![..z, ..y, ..x]), &geometry).unwrap();
}
