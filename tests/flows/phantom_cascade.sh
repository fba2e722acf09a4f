#!/usr/bin/env bash
# All four configurations with v1's command names, on phantoms that are large for the planned patch, so that there is a
# low resolution and a cascade.
#
#   tests/flows/phantom_cascade.sh [FOLDER]        (default target/phantom_cascade; it is made anew)
set -euo pipefail
source "$(dirname "$0")/common.sh"
start "${1:-$repository/target/phantom_cascade}"
task=Task900_Phantom
configurations="2d 3d_lowres 3d_fullres 3d_cascade_fullres"

cat >nnunet.toml <<'TOML'
[planners.Tiny3D]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
vram_reference = 2.5e5
plans_identifier = "nnUNetPlansTiny"

[planners.Tiny2D]
extends = "ExperimentPlanner2D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansTiny"

[trainers.Tiny]
extends = "nnUNetTrainerV2"
max_num_epochs = 1
num_batches_per_epoch = 5
num_val_batches_per_epoch = 1
batch_size = 2
mirror_axes = []

[trainers.TinyCascade]
extends = "nnUNetTrainerV2CascadeFullRes"
previous_trainer = "Tiny"
max_num_epochs = 1
num_batches_per_epoch = 5
num_val_batches_per_epoch = 1
batch_size = 2
mirror_axes = []
TOML

step "$programs/nnunet" example-dataset -o raw/nnUNet_raw_data --task $task --train 5 --test 2 --seed 2
step nnUNet_plan_and_preprocess -t 900 -pl3d Tiny3D -pl2d Tiny2D -tl 2 -tf 2
files 5 "preprocessed/$task/nnUNetData_plans_v2.1_stage1/*.npz"
for configuration in $configurations; do
    trainer=Tiny
    [ $configuration = 3d_cascade_fullres ] && trainer=TinyCascade
    for fold in 0 1 2 3 4; do
        step nnUNet_train $configuration $trainer $task $fold -p nnUNetPlansTiny --npz >"train_${configuration}_$fold.log"
    done
done
files 5 "results/nnUNet/3d_lowres/$task/Tiny__nnUNetPlansTiny/pred_next_stage/*_segFromPrevStage.npz"

step nnUNet_find_best_configuration -t 900 -tr Tiny -ctr TinyCascade -pl nnUNetPlansTiny --strict | tee best.txt
grep -q "submit model" best.txt || fail "no model is recommended"
files 6 "results/nnUNet/ensembles/$task/ensemble_*/postprocessing.json"
printed $task "raw/nnUNet_raw_data/$task/imagesTs" printed
files 2 "printed/model1/*.nii.gz"

for configuration in $configurations; do
    step nnUNet_predict -i raw/nnUNet_raw_data/$task/imagesTs -o "$configuration" -t $task -m $configuration \
        -tr Tiny -ctr TinyCascade -p nnUNetPlansTiny -f 0 1 -z
    step nnUNet_evaluate_folder -ref raw/nnUNet_raw_data/$task/labelsTs -pred "$configuration" -l 1 2
done
step nnUNet_ensemble -f $configurations -o merged
files 2 "merged/*.nii.gz"
echo "all four configurations took $SECONDS s; results in $work"
