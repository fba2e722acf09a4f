//! The command line as users type it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::process::Command;

use nnunet_tests::{World, programs};

#[test]
fn the_command_line_does_not_link_libtorch_and_its_sibling_does() {
    let needed = |name: &str| {
        let output = Command::new("readelf").arg("-d").arg(programs().join(name)).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| line.contains("(NEEDED)")).collect::<String>()
    };
    assert!(!needed("nnunet").contains("libtorch"), "{}", needed("nnunet"));
    assert!(needed("nnunet-torch").contains("libtorch_cpu"));
}

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
fn training_on_several_devices_is_one_clear_error() {
    let world = World::new();
    let fold = "3d_fullres nnUNetTrainerV2_DP 4 0";
    for line in [format!("train_DP {fold} -gpus 2 --dbs"), format!("train_DDP {fold} --local_rank 1")] {
        let outcome = world.run(&line);
        assert_eq!(outcome.code, 1);
        assert!(outcome.text.contains("training runs on one device, not on 2"), "{}", outcome.text);
    }
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
