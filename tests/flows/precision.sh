#!/usr/bin/env bash
# Whether bf16 learns what single precision learns: fold 0 of the hippocampus subset with several seeds in both formats,
# and the mean foreground Dice of the ten test cases.
#
#   tests/flows/precision.sh [FOLDER]        (default target/precision; it is made anew)
#
# The data are looked for in NNUNET_REFERENCE, or in shared/reference beside the repository. SEEDS names the seeds.
set -euo pipefail
source "$(dirname "$0")/common.sh"
find_hippocampus
start "${1:-$repository/target/precision}"
cp -r "$data" raw/nnUNet_raw_data/

cat >nnunet.toml <<TOML
[planners.Small3D]
extends = "ExperimentPlanner3D_v21"
base_num_features = 8
plans_identifier = "nnUNetPlansSmall"
TOML
for seed in ${SEEDS:-1 2 3}; do
    for format in fp32 bf16; do
        cat >>nnunet.toml <<TOML

[trainers.${format}_$seed]
extends = "nnUNetTrainerV2_Adam"
initial_lr = 5e-3
max_num_epochs = 6
num_batches_per_epoch = 50
num_val_batches_per_epoch = 1
seed = $seed
precision = "$format"
TOML
    done
done

step nnUNet_plan_and_preprocess -t 4 -pl3d Small3D -pl2d None -tl 2 -tf 2
echo "| seed | fp32 | bf16 |" >dice.md
echo "|---|---|---|" >>dice.md
for seed in ${SEEDS:-1 2 3}; do
    row="| $seed |"
    for format in fp32 bf16; do
        run="${format}_$seed"
        step nnUNet_train 3d_fullres "$run" 4 0 -p nnUNetPlansSmall --disable_validation_inference >"$run.log"
        step nnUNet_predict -i "$data/imagesTs" -o "$run" -t 4 -m 3d_fullres -tr "$run" -p nnUNetPlansSmall -f 0 >>"$run.log"
        step nnUNet_evaluate_folder -ref "$data/labelsTs" -pred "$run" -l 1 2 >"$run.txt"
        dice=$(foreground "$run.txt")
        row+=" ${dice:0:1}.${dice:1} |"
    done
    echo "$row" >>dice.md
done
cat dice.md
