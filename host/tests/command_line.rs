//! The command line as users type it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::process::Stdio;

use nnunet_tests::{World, copy_folder, programs};

#[test]
fn both_programs_list_the_same_components() {
    let world = World::new();
    let list = |program: &str| {
        let outcome = world.run_program(&programs().join(program), "plugins list", &[]);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text
    };
    assert_eq!(list("nnunet"), list("nnunet-torch"));
    for name in [
        "ExperimentPlanner3D_v21",
        "GenericPreprocessor",
        "Generic_UNet",
        "nnUNetTrainerV2",
        "DC_and_CE_loss",
    ] {
        assert!(list("nnunet").contains(name), "{name} is missing");
    }
}

/// A command's own options stand before those of all commands, and its help ends with an example, in the words of the link
/// by which it was called.
#[test]
fn help_groups_options_and_ends_with_an_example() {
    let world = World::new();
    world.succeed("aliases --dir links");
    let link = |name: &str| {
        let outcome = world.run_program(&world.path("links").join(name), "--help", &[]);
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        outcome.text
    };
    for (help, headings, example) in [
        (
            world.succeed("train --help"),
            "Validation Precision",
            "nnunet train 3d_fullres nnUNetTrainerV2 4 0 -c",
        ),
        (link("nnUNet_train"), "Validation Precision", "nnUNet_train 3d_fullres nnUNetTrainerV2 4 0 -c"),
        (world.succeed("predict --help"), "Model Prediction Output Device", "nnunet predict -i IMAGES"),
        (link("nnUNetv2_predict"), "Model Prediction Output Device", "nnUNetv2_predict -i IMAGES"),
    ] {
        let mut rest = help.as_str();
        for part in headings.split(' ').chain(["Global options:"]) {
            let at = rest.find(&format!("\n{part}")).unwrap_or_else(|| panic!("{part} is not there: {help}"));
            rest = &rest[at + 1..];
        }
        assert!(rest.contains("--no_fsync") && rest.contains(&format!("\n  {example}")), "{help}");
        assert!(!help.split("Global options:").next().unwrap_or_default().contains("--json"), "{help}");
    }
    // v1's spellings.
    assert!(world.succeed("predict -h").contains(" -chk <"));
    assert!(world.succeed("plan_and_preprocess -h").contains(" -tl <"));
    let outcome = world.run("predict -i a -o b -t 4 --chkk x");
    assert!(outcome.text.contains("-chk"), "{}", outcome.text);
}

/// A new user has set none of the folders.
#[test]
fn folders_that_are_not_set_are_said_with_a_remedy() {
    let world = World::new();
    let unset = ["nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"].map(|name| (name, ""));
    let planned = world.run_with("plan_and_preprocess -t 4", &unset);
    assert!(planned.code == 1 && planned.text.contains("export NAME=FOLDER"), "{}", planned.text);
    let doctor = world.run_with("doctor --device cpu", &unset);
    assert!(doctor.code == 0 && doctor.text.contains("export NAME=FOLDER"), "{}", doctor.text);
    assert!(!world.succeed("doctor --device cpu").contains("export NAME=FOLDER"));
}

#[test]
fn kebab_case_and_aliases_work() {
    let world = World::new();
    assert!(world.succeed("plan-and-preprocess --help").contains("--verify_dataset_integrity"));
    world.succeed("aliases --dir links");
    let alias = world.path("links/nnUNet_plan_and_preprocess");
    let outcome = world.run_program(&alias, "-t 4 -tl 2", &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("no task with id 4"), "{}", outcome.text);
    let outcome = world.run_program(&world.path("links/nnUNet_train"), "3d_fullres nnUNetTrainerV2 4 0", &[]);
    assert!(outcome.text.contains("no task with id 4"), "{}", outcome.text);
}

/// v1's commands for several devices are understood, and say that there is one.
#[test]
fn training_with_several_processes_needs_a_launcher() {
    let world = World::new();
    let fold = "3d_fullres nnUNetTrainerV2_DP 4 0";
    let outcome = world.run(&format!("train_DDP {fold} --local_rank 1"));
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("start it with torchrun or nnunet launch"), "{}", outcome.text);
    let outcome = world.run(&format!("train_DP {fold} -gpus 1"));
    assert!(outcome.text.contains("no task with id 4"), "{}", outcome.text);
}

#[test]
fn wrong_arguments_end_with_code_2() {
    assert_eq!(World::new().run("train 3d_fullres").code, 2);
    assert_eq!(World::new().run("no_such_command").code, 2);
}

#[test]
fn an_unset_folder_is_named() {
    let world = World::new();
    let outcome = world.run_with("plan_and_preprocess -t Task004_X", &[("nnUNet_raw_data_base", "")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("nnUNet_raw_data_base"), "{}", outcome.text);
}

#[test]
fn an_unknown_key_in_the_configuration_gets_the_nearest_one() {
    let world = World::new();
    world.write("nnunet.toml", "[planners.P]\nextends = \"ExperimentPlanner3D_v21\"\nbase_features = 8\n");
    let outcome = world.run("plan_and_preprocess -t 900 -pl3d P -pl2d None");
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.text.contains("unknown key `planners.P.base_features`; did you mean `base_num_features`?"),
        "{}",
        outcome.text
    );
}

/// Whether a reader closes the pipe early is its own business: the command ends quietly.
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let world = World::new();
    for line in ["plugins list", "plugins docs", "config schema", "config show", "--json plugins list"] {
        let mut child = world.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{line}: {} {errors}", output.status);
    }
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let world = World::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = world.command("plugins list").stdout(full).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: cannot write the results: "), "{errors}");
}

/// A training goes on when nobody reads its messages any more.
#[test]
fn a_training_does_not_need_a_reader() {
    let world = World::with_phantoms();
    let train = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference";
    let mut child = world.command(train).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    let model = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall/fold_0";
    assert!(world.path(model).join("model_final_checkpoint.model").is_file());
}

#[test]
fn an_error_is_printed_once_and_without_control_characters() {
    let world = World::new();
    let outcome = world.run("audit missing\u{1b}[31m.npz");
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.text.matches("No such file").count(), 1, "{}", outcome.text);
    assert!(outcome.text.contains("missing\\u{1b}[31m.npz"), "{:?}", outcome.text);
}

#[test]
fn evaluate_folder_prints_json_objects() {
    let world = World::new();
    world.succeed("example_dataset -o . --task Task900_Phantom --train 5 --test 0 --seed 3");
    let labels = world.path("Task900_Phantom/labelsTr");
    copy_folder(&labels, &world.path("predictions"));
    let line = "evaluate_folder -ref Task900_Phantom/labelsTr -pred predictions -l 1 2 --json";
    let output = world.command(line).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects.iter().all(serde_json::Value::is_object), "{text}");
    assert!(objects.iter().any(|object| object["label"] == 1 && object["mean_dice"] == 1.0), "{text}");
    assert_eq!(objects.last().unwrap()["cases"], 5, "{text}");
}

/// Messages go to the log file in every style, and details with -v.
#[test]
fn the_log_file_has_all_messages() {
    let world = World::new();
    world.succeed("example-dataset -o . --train 5 --test 0 --quiet --log-file log.txt");
    let log = std::fs::read_to_string(world.path("log.txt")).unwrap();
    assert!(log.contains("INFO") && log.contains("Task"), "{log}");
}
