//! `aliases`: the names of v1's and v2's commands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;

/// v1's console commands, all of them.
const V1: [&str; 18] = [
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

/// v2's console commands, all of them.
const V2: [&str; 21] = [
    "accumulate_crossval_results",
    "apply_postprocessing",
    "convert_MSD_dataset",
    "convert_old_nnUNet_dataset",
    "determine_postprocessing",
    "download_pretrained_model_by_url",
    "ensemble",
    "evaluate_folder",
    "evaluate_simple",
    "export_model_to_zip",
    "extract_fingerprint",
    "find_best_configuration",
    "install_pretrained_model_from_zip",
    "move_plans_between_datasets",
    "plan_and_preprocess",
    "plan_experiment",
    "plot_overlay_pngs",
    "predict",
    "predict_from_modelfolder",
    "preprocess",
    "train",
];

#[test]
fn every_command_of_v1_and_v2_has_a_link_and_help() {
    let world = World::new();
    world.succeed("aliases --dir links");
    let names =
        V1.map(|name| format!("nnUNet_{name}")).into_iter().chain(V2.map(|name| format!("nnUNetv2_{name}")));
    for name in names {
        let link = world.path("links").join(&name);
        let help = world.run_program(&link, "-h", &[]);
        assert_eq!(help.code, 0, "{name}: {}", help.text);
        assert!(help.text.contains(&format!("Usage: {name} ")), "{name}: {}", help.text);
        let wrong = world.run_program(&link, "--no_such_flag_as_this", &[]);
        assert_eq!(wrong.code, 2, "{name}: {}", wrong.text);
        assert!(wrong.text.contains(&format!("Usage: {name} ")), "{name}: {}", wrong.text);
    }
}

/// As they are typed, one dash before long names too.
#[test]
fn help_shows_the_originals_flags() {
    let world = World::new();
    world.succeed("aliases --dir links");
    for (name, flags) in [
        ("nnUNet_predict", "-tr -ctr -chk -t, --num_parts --step_size"),
        (
            "nnUNet_plan_and_preprocess",
            "-pl3d -pl2d -no_pp -tl -tf -overwrite_plans --verify_dataset_integrity",
        ),
        ("nnUNet_train", "-pretrained_weights -val -c, -p --npz"),
        ("nnUNetv2_predict", "-d -tr -step_size -num_parts -part_id -npp -nps -chk -device --disable_tta"),
        ("nnUNetv2_predict_from_modelfolder", "-m --c -prev_stage_predictions --not_on_device"),
        ("nnUNetv2_train", "-tr -p -num_gpus -pretrained_weights --npz --c --val --val_best -device"),
        ("nnUNetv2_plan_and_preprocess", "-fpe -npfp -pl -gpu_memory_target -overwrite_plans_name --no_pp"),
        ("nnUNetv2_determine_postprocessing", "-ref -plans_json --remove_postprocessed"),
    ] {
        let help = world.run_program(&world.path("links").join(name), "-h", &[]).text;
        let words: Vec<&str> = help.split(|c: char| c.is_whitespace() || c == ']').collect();
        for flag in flags.split(' ') {
            assert!(words.contains(&flag), "{name} {flag}: {help}");
        }
    }
}
