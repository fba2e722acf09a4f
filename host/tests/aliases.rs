//! `aliases`: the names of v1's commands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;

/// v1's console commands, all of them.
const COMMANDS: [&str; 18] = [
    "convert_decathlon_task",
    "plan_and_preprocess",
    "train",
    "train_DP",
    "train_DDP",
    "predict",
    "ensemble",
    "find_best_configuration",
    "print_available_pretrained_models",
    "print_pretrained_model_info",
    "download_pretrained_model",
    "download_pretrained_model_by_url",
    "determine_postprocessing",
    "export_model_to_zip",
    "install_pretrained_model_from_zip",
    "change_trainer_class",
    "evaluate_folder",
    "plot_task_pngs",
];

#[test]
fn every_command_of_v1_has_a_link_and_help() {
    let world = World::new();
    world.succeed("aliases --dir links");
    for name in COMMANDS {
        let outcome = world.run_program(&world.path(&format!("links/nnUNet_{name}")), "-h", &[]);
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.text);
        assert!(outcome.text.contains("Usage"), "{name}: {}", outcome.text);
    }
}
