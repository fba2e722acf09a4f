//! The main job and what can be wrong with its input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nnunet_formats::json::Json;
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::torch_zip;
use nnunet_formats::{json, nifti, npz};
use nnunet_tests::{World, copy_folder, repository};

const RAW: &str = "raw/nnUNet_raw_data/Task900_Phantom";
const PREPROCESSED: &str = "preprocessed/Task900_Phantom";

const MODEL: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";

/// A folder with phantoms and a trained model. Tests that run at the same time share it, and write to folders of
/// their own.
fn trained() -> Arc<World> {
    static SHARED: Mutex<Weak<World>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(world) = shared.upgrade() {
        return world;
    }
    let world = Arc::new(World::with_phantoms());
    world.succeed("train 3d_fullres Short Task900_Phantom 0 -p nnUNetPlansSmall --npz");
    *shared = Arc::downgrade(&world);
    world
}

/// Predicts the test cases with the trained model.
fn predict(world: &World, to: &str, flags: &str) -> String {
    world.succeed(&format!("predict -i {RAW}/imagesTs -o {to} --model-folder {MODEL} {flags}"))
}

/// Plans, preprocessed cases and checkpoints have the files and keys of v1.
#[test]
fn a_training_writes_the_files_of_v1() {
    let world = trained();
    for file in ["debug.json", "progress.png", "model_final_checkpoint.model", "validation_raw/summary.json"]
    {
        assert!(world.path(&format!("{MODEL}/fold_0/{file}")).is_file(), "{file} is missing");
    }
    assert!(world.path(&format!("{MODEL}/plans.pkl")).is_file());
    let debug = std::fs::read_to_string(world.path(&format!("{MODEL}/fold_0/debug.json"))).unwrap();
    let debug: serde_json::Value = serde_json::from_str(&debug).unwrap();
    let missing: Vec<&str> = V1_DEBUG.split_whitespace().filter(|key| debug.get(*key).is_none()).collect();
    assert!(missing.is_empty(), "debug.json has no {missing:?}");
    assert_eq!((&debug["threeD"], &debug["experiment_name"]), (&"True".into(), &"Short".into()));
    check_formats(&world, MODEL);
}

/// Keys of v1's `debug.json`, without those of Python's own objects: generators and loaders of batches.
const V1_DEBUG: &str = "all_tr_losses all_val_eval_metrics all_val_losses all_val_losses_tr_mode also_val_in_tr_mode \
    amp_grad_scaler base_num_features batch_dice batch_size best_MA_tr_loss_for_patience best_epoch_based_on_MA_tr_loss \
    best_val_eval_criterion_MA classes conv_per_stage data_aug_params dataset_directory deep_supervision_scales deterministic \
    do_dummy_2D_aug ds_loss_weights epoch experiment_name fold folder_with_preprocessed_data fp16 gt_niftis_folder initial_lr \
    log_file loss lr_scheduler max_num_epochs min_region_size_per_class min_size_per_class net_conv_kernel_sizes \
    net_num_pool_op_kernel_sizes net_pool_per_axis network normalization_schemes num_batches_per_epoch num_classes \
    num_input_channels num_val_batches_per_epoch online_eval_fn online_eval_foreground_dc online_eval_fp online_eval_tp \
    only_keep_largest_connected_component optimizer output_folder output_folder_base oversample_foreground_percent patch_size \
    patience plans_file regions_class_order save_best_checkpoint save_every save_final_checkpoint \
    save_intermediate_checkpoints save_latest_only stage threeD train_loss_MA train_loss_MA_alpha transpose_backward \
    transpose_forward unpack_data use_mask_for_norm val_eval_criterion_MA val_eval_criterion_alpha was_initialized weight_decay";

#[test]
fn a_finished_training_is_not_trained_again() {
    let world = trained();
    copy_folder(&world.path("results"), &world.path("again"));
    let results = world.path("again").display().to_string();
    let again = world.run_with(
        "train 3d_fullres Short 900 0 -p nnUNetPlansSmall -c --disable_validation_inference",
        &[("RESULTS_FOLDER", results.as_str())],
    );
    assert_eq!(again.code, 0, "{}", again.text);
    assert!(!again.text.contains("epoch:  0"), "a finished training was trained again:\n{}", again.text);
}

/// By the names of task, trainer and plans; the predictions are then evaluated and drawn.
#[test]
fn a_folder_is_predicted_evaluated_and_drawn() {
    let (world, images) = (trained(), format!("{RAW}/imagesTs"));
    let line = format!("predict -i {images} -o by_name -t 900 -tr Short -p nnUNetPlansSmall -f 0 -z");
    let text = world.succeed(&line);
    for part in ["trainer: Short; folds: 0; checkpoint: model_final_checkpoint", "postprocessing: None"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let again = world.succeed(&line);
    assert!(again.contains("nothing to do: all 2 label maps are in by_name already"), "{again}");
    let text = world.succeed(&format!("evaluate_folder -ref {RAW}/labelsTs -pred by_name -l 1 2"));
    assert!(text.contains("foreground: mean Dice"), "{text}");
    world.succeed(&format!("picture -i {images} -ref {RAW}/labelsTs -pred by_name -o cases.png"));
    assert!(world.path("cases.png").is_file());
    predict(&world, "by_folder", "");
    same_labels(&world, ["by_name", "by_folder"]);
}

/// A DICOM series that cannot be read is a case that failed: the others are predicted.
#[test]
fn one_bad_series_does_not_stop_the_others() {
    let world = trained();
    world.succeed("example_dataset --as dicom -o hospital --task scans --train 5 --test 2");
    let test = world.path("hospital/scans/test");
    let mut patients: Vec<_> =
        std::fs::read_dir(&test).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    patients.sort();
    let [bad, good] = [0, 1].map(|i: usize| patients[i].to_string_lossy().into_owned());
    std::fs::remove_file(test.join(&bad).join("slice_005.dcm")).unwrap();
    let outcome = world.run(&format!("predict -i hospital/scans/test -o of_dicom --model-folder {MODEL}"));
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    let failure = format!("{bad}: series \"phantom\": slices are");
    assert!(
        outcome.text.contains("1 of 2 cases failed") && outcome.text.contains(&failure),
        "{}",
        outcome.text
    );
    let output = world.path("of_dicom");
    assert!(output.join(format!("{good}.nii.gz")).is_file(), "{}", outcome.text);
    assert!(!output.join(format!("{bad}.nii.gz")).exists());
    let records = std::fs::read_to_string(output.join("predictions.json")).unwrap();
    let records: serde_json::Value = serde_json::from_str(&records).unwrap();
    assert!(records["cases"][&bad]["error"].as_str().unwrap().contains("1 missing"), "{records}");
    assert!(records["cases"][&good].get("error").is_none(), "{records}");
}

#[test]
fn tables_of_labels_lie_beside_the_label_maps_if_asked_for() {
    let world = trained();
    predict(&world, "tables", "--disable_tta --label_tables");
    let table = std::fs::read_to_string(world.path("tables/labels_itksnap.txt")).unwrap();
    assert!(table.contains("\"body\"") && table.contains("\"head\""), "{table}");
    assert!(world.path("tables/labels_slicer.ctbl").is_file());
}

#[test]
fn the_fast_modes_write_label_maps_and_no_probabilities() {
    let world = trained();
    for mode in ["fast", "fastest"] {
        predict(&world, mode, &format!("--mode {mode} --all_in_gpu None"));
        assert!(world.path(&format!("{mode}/phantom_006.nii.gz")).is_file(), "{mode}");
    }
    let refused =
        world.run(&format!("predict -i {RAW}/imagesTs -o no --model-folder {MODEL} --mode fast -z"));
    assert!(refused.text.contains("only written in --mode normal"), "{}", refused.text);
}

#[test]
fn a_postprocessor_is_named_on_the_command_line() {
    let world = trained();
    predict(&world, "empty", "--disable_tta --overlay -pp MinimumSize --parameters mm3=1e9");
    assert!(world.path("empty/phantom_006.png").is_file());
    let labels = nifti::read(&world.path("empty/phantom_006.nii.gz")).unwrap().data;
    assert!(labels.iter().all(|label| *label == 0.0), "the postprocessor was not applied");
}

/// In next to no memory, with sums in files, the labels and probabilities are the same; what was done is recorded.
#[test]
fn a_prediction_in_little_memory_is_the_same() {
    let world = trained();
    predict(&world, "plenty", "-z");
    check_bounded(&world, &format!("{RAW}/imagesTs"), MODEL);
}

#[test]
fn more_cases_at_a_time_change_nothing() {
    let world = trained();
    predict(&world, "one", "");
    let text = predict(&world, "two", "-npp 2 -nps 2 --max-vram 1G --device cpu");
    assert!(text.contains("no GPU is used"), "{text}");
    same_labels(&world, ["one", "two"]);
    let refused = world.run(&format!("predict -i {RAW}/imagesTs -o none --model-folder {MODEL} -npp 0"));
    assert!(refused.code == 2 && refused.text.contains("--num_threads_preprocessing"), "{}", refused.text);
}

/// Devices that share the cases write the files of one, for either version's command; a device that cannot be used is an
/// error before the first case.
#[test]
fn devices_share_the_cases() {
    let world = trained();
    for (to, flags) in [("on_one", "--device cpu"), ("on_two", "--devices cpu,cpu")] {
        let said =
            world.succeed(&format!("predict -i {RAW}/imagesTr -o {to} --model-folder {MODEL} -z {flags}"));
        assert!(said.contains(if to == "on_one" { "device: cpu" } else { "devices: cpu, cpu" }), "{said}");
    }
    same_labels(&world, ["on_one", "on_two"]);
    let cases = |folder: &str| {
        let record = json::load(&world.path(folder).join("predictions.json")).unwrap();
        let Some(Json::Object(cases)) = record.get("cases").cloned() else { panic!("no cases in {folder}") };
        assert!(cases.iter().all(|(_, case)| case.get("device").and_then(Json::as_str) == Some("cpu")));
        cases.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(cases("on_one"), cases("on_two"));
    assert_eq!(cases("on_two").len(), 6);
    let cut = "phantom_000.npz";
    let [one, two] =
        ["on_one", "on_two"].map(|folder| npz::load(&world.path(folder).join(cut), "softmax").unwrap());
    assert!(one.data == two.data, "{cut} differs");
    let both = world
        .run(&format!("predict -i {RAW}/imagesTs -o both --model-folder {MODEL} --device cpu --devices cpu"));
    assert!(both.code == 2 && both.text.contains("cannot be used with"), "{}", both.text);
    let none =
        world.run(&format!("predict -i {RAW}/imagesTs -o none --model-folder {MODEL} --devices cpu,cuda:7"));
    assert!(none.code == 1 && none.text.contains("--device cuda:7"), "{}", none.text);
    assert!(!world.path("none").exists());
}

/// The same for v2's commands.
#[test]
fn devices_share_the_cases_of_v2() {
    let world = World::with_phantoms_of_v2();
    world.configure("\n[trainers.One]\nextends = \"Short\"\nmax_num_epochs = 1\nnum_batches_per_epoch = 2\n");
    world.succeed("v2 train 900 3d_fullres 0 -tr One -p nnUNetPlansSmall -device cpu");
    let images = "nnUNet_raw/Dataset900_Phantom/imagesTs";
    let model = "nnUNet_results/Dataset900_Phantom/One__nnUNetPlansSmall__3d_fullres";
    for (to, flags) in [("on_one", "-device cpu"), ("on_two", "-devices cpu,cpu")] {
        let named = "-d 900 -tr One -p nnUNetPlansSmall -c 3d_fullres";
        world.succeed(&format!("v2 predict -i {images} -o {to} {named} -f 0 {flags}"));
        world.succeed(&format!(
            "v2 predict_from_modelfolder -i {images} -o {to}_folder -m {model} -f 0 {flags}"
        ));
    }
    same_labels(&world, ["on_one", "on_two"]);
    same_labels(&world, ["on_one", "on_two_folder"]);
}

fn same_labels(world: &World, folders: [&str; 2]) {
    let names = |folder: &str| {
        let files = std::fs::read_dir(world.path(folder)).unwrap().flatten().map(|entry| entry.file_name());
        let names = files.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".nii.gz")).collect::<BTreeSet<_>>()
    };
    assert!(!names(folders[0]).is_empty() && names(folders[0]) == names(folders[1]), "{folders:?}");
    for name in names(folders[0]) {
        let [a, b] = folders.map(|folder| nifti::read(&world.path(folder).join(&name)).unwrap().data);
        assert_eq!(a, b, "{name}");
    }
}

/// Regions, and v2's logits in half precision: the labels in next to no memory are those in plenty.
#[test]
fn models_of_regions_and_of_v2_need_little_memory() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    world.write("nnunet.toml", &(toml + REGIONS));
    world.succeed("train 3d_fullres Overlapping 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let images = format!("{RAW}/imagesTs");
    let model = "results/nnUNet/3d_fullres/Task900_Phantom/Overlapping__nnUNetPlansSmall";
    let predict = format!("predict -i {images} --model-folder {model} --disable_tta -z");
    world.succeed(&format!("{predict} -o plenty"));
    let text = world.succeed(&format!("{predict} -o little --max-ram 1M"));
    assert!(text.contains("in temporary files"), "{text}");
    same_labels(&world, ["plenty", "little"]);
    let [plenty, little] = ["plenty", "little"]
        .map(|folder| npz::load_f32(&world.path(&format!("{folder}/phantom_006.npz")), "softmax").unwrap());
    assert!(plenty == little && plenty.shape()[0] == 2, "{:?}", plenty.shape());

    let stored = repository().join("tests/stored/v2_cascade");
    copy_folder(&stored, &world.path("v2"));
    let model = "v2/nnUNetTrainer__nnUNetPlans__3d_lowres";
    for (flags, reason) in [
        ("--mode fast", "--mode fast is for models of nnU-Net v1"),
        ("--step_size 1.5", "--step_size must be"),
        ("-f 3", "fold_3/checkpoint_final.pth; is that fold trained"),
    ] {
        let refused = world.run(&format!("predict -i v2/images --model-folder {model} -o no {flags}"));
        assert!(refused.code == 1 && refused.text.contains(reason), "{}", refused.text);
    }
    for labels in [r#"{"background": 0, "a": 1, "b": 2}"#, OVERLAPPING] {
        let json = format!(
            r#"{{"channel_names": {{"0": "MRI"}}, "file_ending": ".nii.gz", "regions_class_order": [1, 2, 1], "labels": {labels}}}"#
        );
        world.write(&format!("{model}/dataset.json"), &json);
        let predict =
            format!("predict -i v2/images --model-folder {model} --overwrite_existing --save_probabilities");
        world.succeed(&format!("{predict} -o v2/plenty"));
        let text = world.succeed(&format!("{predict} -o v2/little --max-ram 1M"));
        assert!(text.contains("in temporary files"), "{text}");
        let [a, b] = ["plenty", "little"].map(|folder| {
            let file = |ending: &str| world.path(&format!("v2/{folder}/case.{ending}"));
            (
                nifti::read(&file("nii.gz")).unwrap().data,
                npz::load_f32(&file("npz"), "probabilities").unwrap(),
            )
        });
        assert!(a == b && a.0.iter().any(|label| *label > 0.0), "{labels}");
    }
}

/// A trainer of two regions.
const REGIONS: &str = r#"
[trainers.Overlapping]
extends = "Short"
loss = { name = "DC_and_BCE_loss", batch_dice = false, do_bg = true, smooth = 0.0 }

[trainers.Overlapping.regions]
regions = [{ name = "all", labels = [1, 2] }, { name = "head", labels = [2] }]
class_order = [1, 2]
"#;
/// Three regions, for a network of three outputs.
const OVERLAPPING: &str = r#"{"background": 0, "all": [1, 2], "b": [2], "rest": [1]}"#;

fn check_bounded(world: &World, images: &str, model: &str) {
    let text =
        world.succeed(&format!("predict -i {images} -o bounded --model-folder {model} -z --max-ram 1M"));
    assert!(text.contains("planned peak memory") && text.contains("in temporary files"), "{text}");
    for case in ["phantom_006", "phantom_007"] {
        let labels =
            |folder: &str| nifti::read(&world.path(&format!("{folder}/{case}.nii.gz"))).unwrap().data;
        assert_eq!(labels("plenty"), labels("bounded"));
        let scores =
            |folder: &str| npz::load_f32(&world.path(&format!("{folder}/{case}.npz")), "softmax").unwrap();
        assert_eq!(scores("plenty"), scores("bounded"));
    }
    let record = json::load(&world.path("bounded/predictions.json")).unwrap();
    let planned = record.get("planned_peak_bytes").and_then(json::Json::as_f64);
    assert!(planned > Some(1e6), "{planned:?}");
    let case = record.get("cases").and_then(|cases| cases.get("phantom_006")).unwrap();
    assert!(case.get("error").is_none() && case.get("tiles").and_then(json::Json::as_f64) >= Some(1.0));
    assert_eq!(record.get("checkpoints").and_then(json::Json::items).map(<[_]>::len), Some(1));
    let left: Vec<_> =
        std::fs::read_dir(world.path("bounded")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "{left:?}");
}

/// The files have v1's keys and their JSON twins.
fn check_formats(world: &World, model: &str) {
    let plans = pickle::load(&world.path(&format!("{PREPROCESSED}/nnUNetPlansSmall_plans_3D.pkl"))).unwrap();
    for key in ["num_stages", "plans_per_stage", "transpose_forward", "dataset_properties", "conv_per_stage"]
    {
        assert!(plans.get(key).is_some(), "plans lack {key}");
    }
    let twin = json::load(&world.path(&format!("{PREPROCESSED}/nnUNetPlansSmall_plans_3D.json"))).unwrap();
    assert_eq!(twin.get("base_num_features").and_then(json::Json::as_f64), Some(4.0));
    let case =
        pickle::load(&world.path(&format!("{PREPROCESSED}/nnUNetData_plans_v2.1_stage0/phantom_000.pkl")))
            .unwrap();
    assert!(case.get("class_locations").is_some() && case.get("itk_direction").is_some());
    let file = world.path(&format!("{model}/fold_0/model_final_checkpoint.model"));
    let checkpoint = torch_zip::load(&file).unwrap();
    for key in
        ["epoch", "state_dict", "optimizer_state_dict", "lr_scheduler_state_dict", "plot_stuff", "best_stuff"]
    {
        assert!(checkpoint.root.get(key).is_some(), "the checkpoint lacks {key}");
    }
    let beside = pickle::load(&file.with_extension("model.pkl")).unwrap();
    assert_eq!(beside.get("name").and_then(Value::as_str), Some("nnUNetTrainerV2"));
    assert_eq!(beside.get("init").and_then(Value::items).map(<[Value]>::len), Some(9));
}

#[test]
fn missing_tasks_and_plans_are_one_clear_error() {
    let world = World::new();
    let outcome = world.run("plan_and_preprocess -t Task777_Nothing");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("there is no raw task at"), "{}", outcome.text);
    let outcome = world.run("train 3d_fullres nnUNetTrainerV2 Task777_Nothing 0");
    assert!(outcome.text.contains("there are no plans at"), "{}", outcome.text);
}

/// All faults of a data set are reported together, and nothing half-written stays.
#[test]
fn all_faults_of_a_data_set_are_reported_together() {
    let world = World::new();
    world.succeed("example-dataset -o raw/nnUNet_raw_data --train 6 --test 0");
    std::fs::remove_file(world.path(&format!("{RAW}/labelsTr/phantom_001.nii.gz"))).unwrap();
    std::fs::write(world.path(&format!("{RAW}/imagesTr/phantom_002_0000.nii.gz")), b"no image").unwrap();
    let other = world.path(&format!("{RAW}/labelsTr/phantom_003.nii.gz"));
    std::fs::copy(world.path(&format!("{RAW}/labelsTr/phantom_004.nii.gz")), other).unwrap();
    for line in ["plan_and_preprocess -t 900 --verify_dataset_integrity", "plan_and_preprocess -t 900"] {
        let outcome = world.run(line);
        assert_eq!(outcome.code, 1, "{}", outcome.text);
        for part in ["phantom_001.nii.gz", "phantom_002_0000.nii.gz", "phantom_003"] {
            assert!(outcome.text.contains(part), "{part} is missing in: {}", outcome.text);
        }
        assert!(!outcome.text.contains("panicked"), "{}", outcome.text);
    }
    let cropped = world.path("raw/nnUNet_cropped_data/Task900_Phantom");
    for entry in std::fs::read_dir(cropped).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".tmp"), "{name} was left behind");
    }
    assert!(!world.path(PREPROCESSED).exists(), "something was planned");
}
