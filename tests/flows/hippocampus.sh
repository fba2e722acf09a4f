#!/usr/bin/env bash
# v1's whole way on the hippocampus subset with v1's command names: convert, plan, five folds of two configurations, find
# the best, run the commands that it prints, merge, evaluate, pass the models on.
#
#   tests/flows/hippocampus.sh [FOLDER]        (default target/hippocampus; it is made anew)
#
# The data are looked for in NNUNET_REFERENCE, or in shared/reference beside the repository. EPOCHS shortens the trainings,
# LEAST_DICE is what the test cases must reach, times 10000.
set -euo pipefail
source "$(dirname "$0")/common.sh"
find_hippocampus
start "${1:-$repository/target/hippocampus}"
task=Task004_Hippocampus

# The decathlon's own layout: no channel numbers, a number of two digits.
decathlon=$work/Task04_Hippocampus
mkdir -p "$decathlon"/{imagesTr,imagesTs,labelsTr}
cp "$data/dataset.json" "$decathlon"
cp "$data"/labelsTr/*.nii.gz "$decathlon/labelsTr"
for part in imagesTr imagesTs; do
    for image in "$data/$part"/*_0000.nii.gz; do
        name=${image##*/}
        cp "$image" "$decathlon/$part/${name%_0000.nii.gz}.nii.gz"
    done
done

cat >nnunet.toml <<TOML
[planners.Small3D]
extends = "ExperimentPlanner3D_v21"
base_num_features = 8
plans_identifier = "nnUNetPlansSmall"

[planners.Small2D]
extends = "ExperimentPlanner2D_v21"
base_num_features = 8
plans_identifier = "nnUNetPlansSmall"

# So short a training learns more with Adam.
[trainers.Short]
extends = "nnUNetTrainerV2_Adam"
initial_lr = 5e-3
max_num_epochs = ${EPOCHS:-6}
num_batches_per_epoch = 50
num_val_batches_per_epoch = 2
TOML

step nnUNet_convert_decathlon_task -i "$decathlon" -p 2
files 40 "raw/nnUNet_raw_data/$task/imagesTr/*_0000.nii.gz"
step nnUNet_plan_and_preprocess -t 4 --verify_dataset_integrity -pl3d Small3D -pl2d Small2D -tl 2 -tf 2
for configuration in 2d 3d_fullres; do
    for fold in 0 1 2 3 4; do
        step nnUNet_train $configuration Short $task $fold -p nnUNetPlansSmall --npz >"train_${configuration}_$fold.log"
    done
    files 40 "results/nnUNet/$configuration/$task/Short__nnUNetPlansSmall/fold_*/validation_raw/*.npz"
done

step nnUNet_find_best_configuration -m 2d 3d_fullres -t 4 -tr Short -pl nnUNetPlansSmall | tee best.txt
for configuration in 2d 3d_fullres; do
    files 40 "results/nnUNet/$configuration/$task/Short__nnUNetPlansSmall/cv_niftis_raw/*.nii.gz"
    files 40 "results/nnUNet/$configuration/$task/Short__nnUNetPlansSmall/cv_niftis_postprocessed/*.nii.gz"
    files 1 "results/nnUNet/$configuration/$task/Short__nnUNetPlansSmall/postprocessing.json"
done
grep -q "submit model" best.txt || fail "no model is recommended"
printed $task "$data/imagesTs" "$work/printed"
files 10 "printed/model1/*.nii.gz"

# An ensemble with its postprocessing, whatever was recommended.
ensemble=results/nnUNet/ensembles/$task/ensemble_2d__Short__nnUNetPlansSmall--3d_fullres__Short__nnUNetPlansSmall
for configuration in 2d 3d_fullres; do
    step nnUNet_predict -i "$data/imagesTs" -o "$configuration" -t 4 -m $configuration -tr Short -p nnUNetPlansSmall -z
done
step nnUNet_ensemble -f 2d 3d_fullres -o merged -pp "$ensemble/postprocessing.json"
files 10 "merged/*.nii.gz"
files 10 "merged/not_postprocessed/*.nii.gz"
for result in 2d 3d_fullres merged; do
    step nnUNet_evaluate_folder -ref "$data/labelsTs" -pred $result -l 1 2 | tee "$result.txt"
    files 1 "$result/summary.json"
    files 1 "$result/summary_extended.json"
done
at_least "${LEAST_DICE:-7000}" 3d_fullres.txt "3d_fullres"
at_least "${LEAST_DICE:-7000}" merged.txt "the ensemble"

step nnUNet_export_model_to_zip -t 4 -o model.zip -m 2d 3d_fullres -tr Short -pl nnUNetPlansSmall
RESULTS_FOLDER=$work/elsewhere step nnUNet_install_pretrained_model_from_zip model.zip
files 5 "elsewhere/nnUNet/2d/$task/Short__nnUNetPlansSmall/fold_*/model_final_checkpoint.model"
echo "the whole way took $SECONDS s; results in $work"
