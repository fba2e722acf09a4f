#!/usr/bin/env bash
# v2's whole way with v2's command names, as nnU-Net's own integration test goes it: from one data set four (labels, regions,
# an ignore label, regions with an ignore label), a low resolution and a cascade added to the plans by hand, five folds of
# four configurations, the best of them or an ensemble, a test set predicted with folds 0 and 3, postprocessed, evaluated.
#
#   tests/flows/integration_v2.sh [FOLDER]        (default target/integration_v2; it is made anew)
#
# DATA       a folder as the Medical Segmentation Decathlon's, with labelsTs; else phantoms are made
# KINDS      which data sets, of labels, regions, ignore and both
# CONFIGURATIONS  which configurations, of 2d, 3d_lowres, 3d_fullres and 3d_cascade_fullres
# STEPS      steps of a training; it has one epoch
# PYTHON     "rest": after training, Python's commands do the rest too, and both results are compared; "training": Python
#            trains, and both do the rest. NNUNET_V2 is the bin folder of an environment with nnunetv2==2.8.1
set -euo pipefail
source "$(dirname "$0")/common.sh"
source_data=${DATA:+$(cd "$DATA" && pwd)}
start "${1:-$repository/target/integration_v2}"
export nnUNet_raw=$work/nnUNet_raw nnUNet_preprocessed=$work/nnUNet_preprocessed nnUNet_results=$work/nnUNet_results
mkdir "$nnUNet_raw" "$nnUNet_preprocessed" "$nnUNet_results"
export STEPS=${STEPS:-8} nnUNet_extTrainer=$repository/tests/flows/integration_v2/trainer
# For Python.
export nnUNet_compile=false nnUNet_n_proc_DA=0 nnUNet_def_n_proc=1
helpers=$repository/tests/flows/integration_v2
configurations=${CONFIGURATIONS:-2d 3d_lowres 3d_fullres 3d_cascade_fullres}
declare -A names=([labels]=Dataset999_Labels [regions]=Dataset998_Regions [ignore]=Dataset997_Ignore [both]=Dataset996_Both)
kinds=${KINDS:-labels regions ignore both}

cat >nnunet.toml <<TOML
[planners.Small]
extends = "nnUNetPlanner"

[planners.Small.v2]
plans_identifier = "SmallPlans"
base_num_features = ${FEATURES:-4}
max_num_features_2d = 64
max_num_features_3d = 64
max_batch_share = 0.02

[trainers.Quick]
extends = "nnUNetTrainerAdam"
max_num_epochs = 1
num_batches_per_epoch = $STEPS
num_val_batches_per_epoch = 1
initial_lr = 0.01
mirror_axes = [0]
TOML

# One fold of one configuration, one of two at a time.
train_here() {
    local name=$1 configuration=$2
    printf '%s\n' 0 1 2 3 4 | xargs -P 2 -I FOLD bash -c '
        nnUNetv2_train "$1" "$2" FOLD -tr Quick -p SmallPlans --npz -device cpu --deterministic >"$1_$2_FOLD.log" 2>&1 ||
            { cat "$1_$2_FOLD.log"; exit 255; }' bash "$name" "$configuration"
}

# rest SIDE NAME: the steps after training, on copies of the models for Python.
rest() {
    local side=$1 name=$2 program=python3
    [ "$side" = python ] && program=$NNUNET_V2/python
    nnUNet_results=$work/${side}_results step "$program" "$helpers/rest.py" "$side" "$name" SmallPlans Quick \
        "$nnUNet_raw/${names[labels]}/imagesTs" "$source_data/labelsTs" "$work/$side/$name" $configurations
}

if [ -z "$source_data" ]; then
    step "$programs/nnunet" example-dataset -o phantoms --task Task900_Phantom --train 6 --test 2 --seed 2
    source_data=$work/phantoms/Task900_Phantom
fi
if compgen -G "$source_data/imagesTr/*_0000.nii.gz" >/dev/null; then
    step nnUNetv2_convert_old_nnUNet_dataset "$source_data" ${names[labels]}
else
    step nnUNetv2_convert_MSD_dataset -i "$source_data" -overwrite_id 999
    mv "$nnUNet_raw"/Dataset999_* "$nnUNet_raw/${names[labels]}"
fi
step python3 "$helpers/variants.py" "$nnUNet_raw" "${names[labels]}" "${names[regions]}" "${names[ignore]}" "${names[both]}"

for kind in $kinds; do
    name=${names[$kind]}
    step nnUNetv2_plan_and_preprocess -d "$name" -pl Small -c 2d 3d_fullres -np 2 --verify_dataset_integrity
    step python3 "$helpers/add_stages.py" "$nnUNet_preprocessed/$name/SmallPlans.json"
    step nnUNetv2_preprocess -d "$name" -plans_name SmallPlans -c 3d_lowres -np 2
    if [ "${PYTHON:-}" = training ]; then
        step "$NNUNET_V2/python" "$helpers/train.py" "$name" SmallPlans Quick $configurations
    else
        for configuration in $configurations; do
            step train_here "$name" $configuration
        done
    fi
    files $(($(wc -w <<<"$configurations") * 5)) "$nnUNet_results/$name/Quick__SmallPlans__*/fold_?/validation/summary.json"
    mkdir -p links_results python_results
    cp -r "$nnUNet_results/$name" python_results
    mv "$nnUNet_results/$name" links_results
    rest links "$name"
    tests=$(ls "$source_data/labelsTs" | wc -l)
    files "$tests" "links/$name/final/*.nii.gz"
    if [ -n "${PYTHON:-}" ]; then
        rest python "$name"
        step "$NNUNET_V2/python" "$helpers/compare.py" "links_results/$name" "links/$name" "python_results/$name" "python/$name"
    fi
    # Probabilities are large.
    rm -r "$work"/*_results/"$name"
done
echo "$kinds took $SECONDS s; results in $work"
