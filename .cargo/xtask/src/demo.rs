//! The main job on a data set that the program makes itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, root};

const TASK: &str = "Task900_Phantom";

/// Runs the steps with the built program, in a folder that is made anew (default `target/demo`).
pub(crate) fn run_in(folder: &Path) -> Result<()> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    for part in ["raw_base/nnUNet_raw_data", "preprocessed", "results"] {
        fs::create_dir_all(folder.join(part)).map_err(failed)?;
    }
    fs::copy(root().join("examples/demo/nnunet.toml"), folder.join("nnunet.toml")).map_err(failed)?;
    let raw = format!("raw_base/nnUNet_raw_data/{TASK}");
    let steps = [
        format!("example-dataset -o raw_base/nnUNet_raw_data --task {TASK} --train 12 --test 3 --seed 1"),
        "plan_and_preprocess -t 900 --verify_dataset_integrity -tl 2 -tf 2 -pl2d None -pl3d DemoPlanner"
            .to_owned(),
        format!("train 3d_fullres DemoTrainer {TASK} 0 -p nnUNetPlansDemo"),
        format!(
            "predict -i {raw}/imagesTs -o predictions -t 900 -m 3d_fullres -f 0 -tr DemoTrainer -p nnUNetPlansDemo"
        ),
        format!("evaluate_folder -ref {raw}/labelsTs -pred predictions -l 1 2"),
        format!(
            "picture -i {raw}/imagesTs -ref {raw}/labelsTs -pred predictions -o {}",
            folder.join("demo.png").display()
        ),
    ];
    steps.iter().try_for_each(|step| crate::run(nnunet(folder).args(step.split(' '))))
}

/// The command's arguments: a folder, or none.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let folder = arguments.first().map_or_else(|| root().join("target/demo"), PathBuf::from);
    run_in(&std::path::absolute(&folder).map_err(|error| format!("{}: {error}", folder.display()))?)
}

fn nnunet(folder: &Path) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut command = Command::new(target.join("release/nnunet"));
    command
        .current_dir(folder)
        .env("nnUNet_raw_data_base", folder.join("raw_base"))
        .env("nnUNet_preprocessed", folder.join("preprocessed"))
        .env("RESULTS_FOLDER", folder.join("results"));
    command
}
