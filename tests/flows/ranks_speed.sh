#!/usr/bin/env bash
# How fast two processes of one thread train together, against one process of two threads, and which share of their time is
# spent on exchanging gradients. All on CPUs of this machine, which should have nothing else to do. Only ratios are printed
# that were measured in the same run; they say nothing about GPUs.
#
#   tests/flows/ranks_speed.sh [FOLDER]        (default target/ranks_speed; it is made anew)
#
# Each process has two samples of a batch, because libtorch has a slow convolution for a single small one.
#
# FEATURES is the width of the network, STEPS the batches of an epoch, ROUNDS how often everything is measured.
set -euo pipefail
source "$(dirname "$0")/common.sh"
start "${1:-$repository/target/ranks_speed}"
nnunet=$programs/nnunet

cat >nnunet.toml <<TOML
[planners.Small]
extends = "ExperimentPlanner3D_v21"
base_num_features = ${FEATURES:-16}
plans_identifier = "nnUNetPlansSmall"

[trainers.Whole]
extends = "nnUNetTrainerV2"
max_num_epochs = 2
num_batches_per_epoch = ${STEPS:-10}
num_val_batches_per_epoch = 1
batch_size = 4
augmentation = { name = "noDA" }

[trainers.Half]
extends = "Whole"
batch_size = 2
TOML
step "$nnunet" example-dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 6 --test 1 --seed 3
step "$nnunet" plan_and_preprocess -t 900 -pl3d Small -pl2d None -tl 2 -tf 2
# Cases are unpacked once, and not while something is measured.
"$nnunet" train 3d_fullres Half 900 0 -p nnUNetPlansSmall --disable_validation_inference --set max_num_epochs=1 --device cpu \
    --set num_batches_per_epoch=1 >prepare.log

# The seconds of the last epoch, whose threads and memory are warm. A fold's folder is removed.
seconds() {
    cat "$1"/*.jsonl | grep '"event":"epoch"' | tail -n 1 | grep -oE '"seconds":[0-9.e-]+' | head -n 1 | sed 's/.*://'
    rm -r "$1"
}
folder() {
    echo "results/nnUNet/3d_fullres/Task900_Phantom/$1__nnUNetPlansSmall/fold_$2"
}
# train TRAINER FOLD: its words.
train() {
    echo train 3d_fullres "$1" 900 "$2" -p nnUNetPlansSmall --disable_validation_inference --device cpu
}
rm -r "$(folder Half 0)"

: >measured.txt
for round in $(seq "${ROUNDS:-3}"); do
    OMP_NUM_THREADS=2 "$nnunet" $(train Whole 0) >one.log
    one=$(seconds "$(folder Whole 0)")
    OMP_NUM_THREADS=1 "$nnunet" launch --nproc 2 -- $(train Whole 0) >two.log
    two=$(seconds "$(folder Whole 0)")
    # The same work at the same time, without a word to each other.
    OMP_NUM_THREADS=1 "$nnunet" $(train Half 0) >half_0.log &
    OMP_NUM_THREADS=1 "$nnunet" $(train Half 1) >half_1.log
    wait
    first=$(seconds "$(folder Half 0)")
    second=$(seconds "$(folder Half 1)")
    alone=$(printf '%s\n%s\n' "$first" "$second" | sort -g | tail -n 1)
    echo "$one $two $alone" >>measured.txt
done
grep -oE "[0-9.]+ [KMG]?B of gradients" two.log | head -n 1
awk '{ one[NR] = $1; two[NR] = $2; speed[NR] = $1 / $2; share[NR] = 1 - $3 / $2 }
    function median(values, count,   i, j, swap) {
        for (i = 1; i <= count; i++) for (j = i + 1; j <= count; j++)
            if (values[j] < values[i]) { swap = values[i]; values[i] = values[j]; values[j] = swap }
        return values[int((count + 1) / 2)]
    }
    END {
        printf "two processes of one thread are %.2f times as fast as one of two threads\n", median(speed, NR)
        printf "%.0f %% of their time is spent on each other: two processes alone take the rest\n", 100 * median(share, NR)
    }' measured.txt
