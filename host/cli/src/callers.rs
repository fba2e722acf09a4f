//! The command lines of programs that call nnU-Net, as they build them.

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use crate::arguments::normalize;
use crate::cli::Cli;
use crate::commands::Command;
use crate::commands::v2::Command as V2;

fn parsed(line: &[&str]) -> Command {
    let words = normalize(line.iter().map(OsString::from), &Cli::command());
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line:?}: {error}")).command
}

/// 3D Slicer's extension SlicerNNUNet.
#[test]
fn slicers_prediction_is_understood() {
    let line = "/slicer/bin/nnUNetv2_predict -i /tmp/in -o /tmp/out -d Dataset005_X -tr nnUNetTrainer -p nnUNetPlans \
                -c 3d_fullres -f 0 1 -npp 1 -nps 1 -step_size 0.5 -device cuda -chk checkpoint_final.pth --disable_tta";
    let Command::V2(V2::Predict(args)) = parsed(&line.split_whitespace().collect::<Vec<_>>()) else {
        panic!("not a prediction");
    };
    let text = format!("{args:?}");
    for part in [
        "dataset: \"Dataset005_X\"",
        "folds: [\"0\", \"1\"]",
        "device: Cuda(0)",
        "step_size: 0.5",
        "disable_tta: true",
        "checkpoint: \"checkpoint_final.pth\"",
        "preprocessing: 1",
        "export: 1",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// MITK's nnU-Net tool.
#[test]
fn mitks_prediction_and_ensemble_are_understood() {
    let line = "nnUNet_predict -i in -o out -t Task004_X -tr nnUNetTrainerV2 -m 3d_fullres -p nnUNetPlansv2.1 -f 0 1 \
                --num_threads_preprocessing 2 --num_threads_nifti_save 1 --disable_tta --disable_mixed_precision \
                --save_npz";
    assert!(matches!(parsed(&line.split_whitespace().collect::<Vec<_>>()), Command::Predict(_)));
    let line = "nnUNet_predict -i in -o out -t Task004_X -ctr nnUNetTrainerV2CascadeFullRes -m 3d_cascade_fullres \
                -p nnUNetPlansv2.1 --num_threads_preprocessing 1 --num_threads_nifti_save 1";
    assert!(matches!(parsed(&line.split_whitespace().collect::<Vec<_>>()), Command::Predict(_)));
    let line = "nnUNet_ensemble -f out1 out2 -o out -pp postprocessing.json";
    assert!(matches!(parsed(&line.split_whitespace().collect::<Vec<_>>()), Command::Ensemble(_)));
}

/// Forms that occur in public scripts.
#[test]
fn public_scripts_are_understood() {
    for line in [
        "nnUNetv2_predict -i IN -o OUT -d 005 -c 2d -f all -device cpu",
        "nnUNetv2_predict -i IN -o OUT -d 5 -c 3d_fullres_S4D2W32 -chk checkpoint_best.pth --save_probabilities",
        "nnUNetv2_predict_from_modelfolder -i IN -o OUT -m M -npp 0 -nps 0 --c --verbose",
        "nnUNetv2_train 52 3d_fullres 0 -p nnUNetResEncUNetMPlans --val --npz",
        "nnUNetv2_train 13 2d all",
        "nnUNetv2_plan_and_preprocess -d 1 2 -pl nnUNetPlannerResEncL -gpu_memory_target 24 --verify_dataset_integrity \
         -overwrite_target_spacing 1 1 1 -overwrite_plans_name Mine -c 2d -np 4 --no_pbar --verbose",
        "nnUNetv2_ensemble -i A B -o OUT -np 2 --save_npz",
        "nnUNetv2_apply_postprocessing -i IN -o OUT -pp_pkl_file P -np 8 -plans_json J",
        "nnUNetv2_evaluate_folder GT PRED -djfile D -pfile P --chill",
        "nnUNetv2_evaluate_simple GT PRED -l 1 2 -il 3",
        "nnUNetv2_move_plans_between_datasets -s 1 -t 2 -sp nnUNetPlans -tp Other",
        "nnUNetv2_convert_MSD_dataset -i Task05_X -overwrite_id 205 -np 2",
        "nnUNetv2_plot_overlay_pngs -d 4 -o OUT --use_raw -channel_idx 1 -overlay_intensity 0.4",
        "nnUNetv2_export_model_to_zip -d 4 -o M.zip -c 2d -f 0 -chk a.pth b.pth --not_strict",
        "nnUNetv2_install_pretrained_model_from_zip M.zip",
        "nnUNet_predict -i IN -o OUT -t901 -m2d -fall -l None -z",
        "nnUNet_plan_and_preprocess -t4 -pl2d None",
        "nnUNet_predict -i IN -o OUT -t 4 -m 3d_fullres --all_in_gpu True --mode fastest -chk model_best",
    ] {
        parsed(&line.split_whitespace().collect::<Vec<_>>());
    }
}
