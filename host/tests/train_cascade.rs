//! Both stages of a cascade on phantoms: training, what the first leaves for the second, and prediction.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod weights;

use nnunet_formats::pickle::{self, DType, Value};
use nnunet_formats::{npz, torch_zip};
use nnunet_tests::World;

/// A planner whose patches see a small part of a case, and trainers of one short epoch.
const PROJECT: &str = r#"
[planners.Tiny]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansTiny"
vram_reference = 4.0e5
lowres_threshold = 2.0

[trainers.Low]
extends = "nnUNetTrainerV2"
max_num_epochs = 1
num_batches_per_epoch = 2
num_val_batches_per_epoch = 1
batch_size = 2
mirror_axes = []

[trainers.High]
extends = "nnUNetTrainerV2CascadeFullRes"
previous_trainer = "Low"
max_num_epochs = 1
num_batches_per_epoch = 2
num_val_batches_per_epoch = 1
batch_size = 2
mirror_axes = []
augmentation = { cascade_random_binary_transform_p = 1.0 }
"#;

const LOW: &str = "results/nnUNet/3d_lowres/Task900_Phantom/Low__nnUNetPlansTiny";
const HIGH: &str = "results/nnUNet/3d_cascade_fullres/Task900_Phantom/High__nnUNetPlansTiny";
const NEXT: &str = "preprocessed/Task900_Phantom/nnUNetData_plans_v2.1_stage1";
const TRAIN_HIGH: &str =
    "train 3d_cascade_fullres High 900 0 -p nnUNetPlansTiny --disable_postprocessing_on_folds";

fn planned() -> World {
    let world = World::new();
    world.write("nnunet.toml", PROJECT);
    world
        .succeed("example-dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 5 --test 1 --seed 3");
    world.succeed("plan_and_preprocess -t 900 -pl3d Tiny -pl2d None -tl 2 -tf 2");
    assert!(world.path(NEXT).is_dir(), "the planner made no second stage");
    world
}

#[test]
fn a_cascade_from_planning_to_prediction() {
    let world = planned();
    let refused = world.run(TRAIN_HIGH);
    assert!(refused.text.contains("train 3d_lowres with fold 0, 1, 2, 3, 4 first"), "{}", refused.text);
    let all = world.run("train 3d_cascade_fullres High 900 all -p nnUNetPlansTiny");
    assert!(all.text.contains("has no fold `all`"), "{}", all.text);
    let other = world.run("train 3d_cascade_fullres Low 900 0 -p nnUNetPlansTiny");
    assert!(other.text.contains("extends nnUNetTrainerV2CascadeFullRes"), "{}", other.text);
    let head = world.run("train 3d_lowres Low 900 0 -p nnUNetPlansTiny --set head=Softmax");
    assert!(head.text.contains("the setting `head` is not supported in cascades"), "{}", head.text);

    for fold in 0..5 {
        // One fold leaves nothing: the second stage makes it up.
        let next = if fold == 2 { "--disable_next_stage_pred" } else { "" };
        world.succeed(&format!(
            "train 3d_lowres Low 900 {fold} -p nnUNetPlansTiny --disable_validation_inference {next}"
        ));
    }
    let left = std::fs::read_dir(world.path(&format!("{LOW}/pred_next_stage"))).unwrap().count();
    assert_eq!(left, 4);
    let made = world.succeed(TRAIN_HIGH);
    assert!(made.contains("with fold 2 of 3d_lowres"), "{made}");

    for case in 0..5 {
        let file = world.path(&format!("{LOW}/pred_next_stage/phantom_{case:03}_segFromPrevStage.npz"));
        let labels = npz::load(&file, "data").unwrap();
        let properties = pickle::load(&world.path(&format!("{NEXT}/phantom_{case:03}.pkl"))).unwrap();
        let size = properties.get("size_after_resampling").and_then(Value::to_usize_vec).unwrap();
        assert_eq!((labels.header.dtype, labels.header.shape), (DType::U8, size));
        assert!(labels.data.iter().all(|label| *label <= 2));
    }
    let checkpoint = world.path(&format!("{HIGH}/fold_0/model_final_checkpoint.model"));
    let first = first_layer(&torch_zip::load(&checkpoint).unwrap());
    assert_eq!(first[1], 3, "one image channel and two labels");
    let beside = pickle::load(&checkpoint.with_extension("model.pkl")).unwrap();
    let init = beside.get("init").and_then(Value::items).unwrap();
    assert_eq!(init.len(), 10);
    assert_eq!(init[8].as_str(), Some("Low"));
    assert_eq!(beside.get("name").and_then(Value::as_str), Some("nnUNetTrainerV2CascadeFullRes"));
    assert!(world.path(&format!("{HIGH}/fold_0/validation_raw/summary.json")).is_file());

    let images = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
    let predict = format!(
        "predict -i {images} -t 900 -m 3d_cascade_fullres -tr Low -ctr High -p nnUNetPlansTiny --disable_tta"
    );
    world.succeed(&format!("{predict} -f 0 -o out"));
    assert!(world.path("out/3d_lowres_predictions/phantom_005.nii.gz").is_file());
    world.succeed(&format!("{predict} -f 0 -o again -l out/3d_lowres_predictions"));
    assert!(!world.path("again/3d_lowres_predictions").exists());
    let bytes = |folder: &str| std::fs::read(world.path(&format!("{folder}/phantom_005.nii.gz"))).unwrap();
    assert_eq!(bytes("out"), bytes("again"));
    let nothing = world.run(&format!("{predict} -f 0 -o third -l nowhere"));
    assert!(nothing.text.contains("there is no folder nowhere"), "{}", nothing.text);
}

/// Both stages on the CUDA device of the tests, which computes on the CPU.
#[test]
fn a_cascade_on_a_gpu_gives_what_the_cpu_gives() {
    let world = planned().with_libtorch_operators();
    let mut previous = Vec::new();
    let succeed = |line: &str| {
        let outcome = world.run_beside_gpu(line, &[]);
        assert_eq!(outcome.code, 0, "{line}\n{}", outcome.text);
    };
    for device in ["cpu", "cuda"] {
        for fold in 0..5 {
            let low = format!(
                "train 3d_lowres Low 900 {fold} -p nnUNetPlansTiny --fp32 --disable_validation_inference --overwrite --device {device}"
            );
            succeed(&low);
        }
        succeed(&format!("{TRAIN_HIGH} --fp32 --overwrite --device {device}"));
        let images = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";
        succeed(&format!(
            "predict -i {images} -t 900 -m 3d_cascade_fullres -tr Low -ctr High -p nnUNetPlansTiny --disable_tta \
             -f 0 --precision fp32 -o {device} --device {device}"
        ));
        // Removed, because the second stage computes only what is missing.
        let predictions = world.path(&format!("{LOW}/pred_next_stage"));
        previous.push(nnunet_tests::contents(&predictions));
        std::fs::remove_dir_all(&predictions).unwrap();
    }
    assert!(previous[0] == previous[1], "the first stage leaves other labels");
    for file in ["phantom_005.nii.gz", "3d_lowres_predictions/phantom_005.nii.gz"] {
        let [cpu, gpu] = ["cpu", "cuda"].map(|device| std::fs::read(world.path(device).join(file)).unwrap());
        assert!(cpu == gpu, "{file} differs");
    }
}

/// Labels of the first stage are part of what processes share.
#[test]
fn two_processes_train_the_second_stage_as_one_does() {
    let world = planned();
    if world.succeed("doctor --device cpu").contains("several processes: not in this build") {
        return;
    }
    for fold in 0..5 {
        world.succeed(&format!(
            "train 3d_lowres Low 900 {fold} -p nnUNetPlansTiny --disable_validation_inference"
        ));
    }
    let line = format!(
        "{TRAIN_HIGH} --device cpu --fp32 --deterministic --disable_validation_inference --set batch_size=3 \
         --set num_batches_per_epoch=20 --set initial_lr=0.001"
    );
    let fold = world.path(&format!("{HIGH}/fold_0"));
    world.succeed(&line);
    let one = weights::taken(&fold);
    world.succeed(&format!("launch --nproc 2 -- {line}"));
    weights::assert_close(&weights::taken(&fold), &one, "the second stage");
}

/// Shape of the first convolution's weight.
fn first_layer(checkpoint: &torch_zip::Checkpoint) -> Vec<usize> {
    let state = checkpoint.root.get("state_dict").unwrap();
    let weight = state.get("conv_blocks_context.0.blocks.0.conv.weight").unwrap();
    let Value::Tensor(index) = weight else { panic!("{weight:?}") };
    checkpoint.tensors[*index].shape.clone()
}
