//! What a training leaves behind, and what its flags do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::PathBuf;

use ndarray::Axis;
use nnunet_formats::{npz, torch_zip};
use nnunet_test_support::files;
use nnunet_tests::World;

const LINE: &str = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference";
const FOLD: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall/fold_0";

fn left(world: &World, ending: &str) -> Vec<PathBuf> {
    files(&world.path(FOLD), ending)
}

/// v1's log by v1's words, the same numbers for programs, and v1's drawing of the network.
#[test]
fn logs_curves_and_drawings_are_left_behind() {
    let world = World::with_phantoms();
    world.succeed(LINE);
    let log = std::fs::read_to_string(left(&world, ".txt").first().unwrap()).unwrap();
    let mut rest = log.as_str();
    // The order v1 writes them in.
    for line in [
        "Starting... \n",
        ": Using splits from existing split file: ",
        ": The split file contains 5 splits.",
        ": Desired fold for training: 0",
        ": This split has 4 training and 2 validation cases.",
        ": TRAINING KEYS:",
        ": VALIDATION KEYS:",
        ": lr: 0.01 ",
        ": Task900_Phantom, 3d_fullres, fold 0, trainer Short, plans nnUNetPlansSmall",
        ": folder: ",
        ": cases: 4 for training, 2 for validation",
        ": network: Generic_UNet, ",
        ", fp32 on cpu",
        ": epochs: 2; 4 batches each",
        ": disk: at most ",
        ": \nepoch:  0 ",
        ": the training will take about ",
        ": train loss : ",
        ": validation loss: ",
        ": Average global foreground Dice: [",
        ": lr: 0.005359 ",
        ": This epoch took ",
        ": 1 epoch is left: about ",
        ": \nepoch:  1 ",
        ": lr: 0.0 ",
        ": saving checkpoint...",
        ": done, saving took ",
    ] {
        let at =
            rest.find(line).unwrap_or_else(|| panic!("`{line}` is missing in the rest of the log: {rest}"));
        rest = &rest[at + line.len()..];
    }
    assert!(log.contains(": waited for data "), "{log}");
    let lines = std::fs::read_to_string(left(&world, ".jsonl").first().unwrap()).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let epochs: Vec<_> = lines.iter().filter(|line| line["event"] == "epoch").collect();
    assert_eq!(epochs.len(), 2);
    for key in
        ["train_loss", "learning_rate", "seconds_waiting_for_data", "seconds_copying", "seconds_computing"]
    {
        assert!(epochs.iter().all(|line| line[key].is_number()), "{key}: {epochs:?}");
    }
    for epoch in &epochs {
        let [one, two] = ["1", "2"].map(|label| epoch["dice_by_label"][label].as_f64());
        let mean = [one, two].into_iter().flatten().sum::<f64>() / [one, two].iter().flatten().count() as f64;
        assert!(
            (mean - epoch["metric"].as_f64().unwrap_or(f64::NAN)).abs() < 1e-9 || mean.is_nan(),
            "{epoch}"
        );
    }
    let training = lines.iter().find(|line| line["event"] == "training").unwrap();
    assert_eq!(training["what"]["training_cases"], 4, "{training}");
    let [events] = &left(&world, ".nnunet")[..] else { panic!("events for TensorBoard") };
    let events = String::from_utf8_lossy(&std::fs::read(events).unwrap()).into_owned();
    assert!(!log.contains("Dice by label: 1 (body)") || events.contains("dice/1 (body)"), "{log}");
    assert!(std::fs::read(world.path(FOLD).join("network_architecture.pdf")).unwrap().starts_with(b"%PDF"));
    let debug = std::fs::read_to_string(world.path(FOLD).join("debug.json")).unwrap();
    let debug: serde_json::Value = serde_json::from_str(&debug).unwrap();
    for key in ["initial_lr", "loss", "augmentation", "optimizer", "stage", "parents", "seed", "precision"] {
        assert!(debug.get(key).is_some(), "{key} is missing in debug.json");
    }
}

#[test]
fn flags_of_v1_do_what_they_say() {
    let world = World::with_phantoms();
    let text = world.succeed(&format!("{LINE} --find_lr"));
    assert!(
        text.contains("learning rates tried") && world.path(FOLD).join("lr_finder.png").is_file(),
        "{text}"
    );
    assert!(!text.contains("epoch:"), "it trained: {text}");
    world.succeed(LINE);
    let refused = world.run(LINE);
    assert!(refused.code == 1 && refused.text.contains("--overwrite trains it anew"), "{}", refused.text);

    // No fold has this number: 80 % of the cases are drawn to train on.
    let beyond = world.succeed(&LINE.replace(" 0 ", " 7 ").replace("train 3d", "train --disable_saving 3d"));
    assert!(beyond.contains("4 training and 2 validation cases"), "{beyond}");
    let unsaved = world.path(&FOLD.replace("fold_0", "fold_7"));
    assert!(files(&unsaved, ".model").is_empty(), "--disable_saving saved");

    let all = world.succeed(&LINE.replace(" 0 ", " all "));
    assert!(all.contains("6 training and 6 validation cases"), "{all}");
    let weights = world.path(&FOLD.replace("fold_0", "all")).join("model_final_checkpoint.model");
    let started = world.succeed(&format!(
        "{LINE} --overwrite -pretrained_weights {} --use_compressed_data --deterministic --fp32",
        weights.display()
    ));
    assert!(started.contains("parameters start from"), "{started}");

    for flag in ["-val", "-c"] {
        let refused =
            world.run(&LINE.replace(" 0 ", " 1 ").replace("--disable", &format!("{flag} --disable")));
        let advice = format!("start it without {flag}");
        assert!(refused.code == 1 && refused.text.contains(&advice), "{}", refused.text);
    }
    let line = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall -val --valbest --val_folder again --npz";
    std::fs::remove_file(world.path(FOLD).join("model_best.model")).ok();
    let validated = world.succeed(&format!("{line} --disable_postprocessing_on_folds"));
    for line in [
        "there is no model_best.model; validating",
        "model_final_checkpoint.model train= False",
        "finished prediction",
        "evaluation of raw predictions",
    ] {
        assert!(validated.contains(line), "{line} is missing in {validated}");
    }
    let quiet = world.succeed(&format!("--quiet {line} --disable_postprocessing_on_folds"));
    assert!(
        quiet.starts_with("validation, label 1 (body): mean Dice") && quiet.lines().count() == 2,
        "{quiet}"
    );
    let folder = world.path(FOLD).join("again");
    assert!(folder.join("summary.json").is_file() && folder.join("validation_args.json").is_file());
    assert_eq!(files(&folder, ".npz").len(), 2);
    assert!(!world.path(FOLD).join("postprocessing.json").exists());
}

const OTHERS: &str = r#"
[planners.SmallResidual]
extends = "ExperimentPlanner3DFabiansResUNet_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmallResidual"

[trainers.Residual]
extends = "nnUNetTrainerV2_ResencUNet"
max_num_epochs = 1
num_batches_per_epoch = 4
num_val_batches_per_epoch = 1
mirror_axes = []

[trainers.Regions]
extends = "nnUNetTrainerV2BraTSRegions"
max_num_epochs = 1
num_batches_per_epoch = 4
num_val_batches_per_epoch = 1
mirror_axes = []
"#;

/// Residual networks and regions go all the way, from plans to evaluated and predicted cases.
#[test]
fn residual_networks_and_regions_are_trained_validated_and_predict() {
    let world = World::with_phantoms();
    world.configure(OTHERS);
    world.succeed("plan_and_preprocess -t 900 -pl3d SmallResidual -pl2d None -tl 2 -tf 2");
    for (trainer, plans) in [("Residual", "nnUNetPlansSmallResidual"), ("Regions", "nnUNetPlansSmall")] {
        let text = world.succeed(&format!("train 3d_fullres {trainer} 900 0 -p {plans} --npz"));
        assert!(text.contains("validation, label 2 (head): mean Dice"), "{text}");
        let fold =
            world.path(&format!("results/nnUNet/3d_fullres/Task900_Phantom/{trainer}__{plans}/fold_0"));
        assert!(fold.join("validation_raw/summary.json").is_file(), "{trainer}");
        world.succeed(&format!(
            "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o {trainer} -t 900 -m 3d_fullres \
             -tr {trainer} -p {plans} -f 0 -z --disable_tta"
        ));
        for case in files(&world.path(trainer), ".npz") {
            let scores = npz::load_f32(&case, "softmax").unwrap();
            assert_eq!(scores.dim().0, 3, "{trainer}");
            let sums = scores.sum_axis(Axis(0));
            let sum_to_one = sums.iter().all(|sum| (sum - 1.0).abs() < 1e-2);
            assert_eq!(sum_to_one, trainer == "Residual", "{trainer}: regions overlap, labels do not");
        }
        assert_eq!(files(&world.path(trainer), ".nii.gz").len(), 2, "{trainer}");
    }
}

/// One seed, one result: with one and with two threads that make batches, with and without unpacked data.
#[test]
fn deterministic_trainings_end_the_same() {
    let world = World::with_phantoms();
    let ends = [("1", ""), ("2", "--use_compressed_data")].map(|(threads, flag)| {
        let variables = [("nnUNet_n_proc_DA", threads)];
        let outcome = world.run_with(&format!("{LINE} --overwrite --deterministic {flag}"), &variables);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        torch_zip::load(&world.path(FOLD).join("model_final_checkpoint.model")).unwrap()
    });
    assert_eq!(ends[0].root, ends[1].root);
    assert!(ends[0].tensors == ends[1].tensors);
}
