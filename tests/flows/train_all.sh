#!/usr/bin/env bash
# All folds of two configurations of the hippocampus subset by train_all, once undisturbed, and once killed twice: so that it
# cannot notice, and so that it can. Both must end with the same bytes.
#
#   tests/flows/train_all.sh [FOLDER]        (default target/train_all; it is made anew)
#
# The data are looked for in NNUNET_REFERENCE, or in shared/reference beside the repository. STEPS is the number of batches of
# an epoch, JOBS the number of trainings at a time.
set -euo pipefail
source "$(dirname "$0")/common.sh"
find_hippocampus
start "${1:-$repository/target/train_all}"
task=Task004_Hippocampus
cp -r "$data" "raw/nnUNet_raw_data/$task"

cat >nnunet.toml <<TOML
[planners.Small3D]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmall"

[planners.Small2D]
extends = "ExperimentPlanner2D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmall"

[trainers.Tiny]
extends = "nnUNetTrainerV2"
max_num_epochs = 2
num_batches_per_epoch = ${STEPS:-2}
num_val_batches_per_epoch = 1
batch_size = 2
mirror_axes = []
save_every = 1
TOML
step nnUNet_plan_and_preprocess -t 4 -pl3d Small3D -pl2d Small2D -tl 2 -tf 2
train_all=("$programs/nnunet" train_all 4 -m 2d 3d_fullres --tr Tiny -p nnUNetPlansSmall --devices cpu --jobs "${JOBS:-2}" --
    --fp32)
records=nnUNet/train_all/$task/Tiny__nnUNetPlansSmall

# until_done COUNT PROCESS: waits until so many jobs are recorded as done, while a process runs.
until_done() {
    until [ "$(compgen -G "results/$records/*.done" | wc -l)" -ge "$1" ]; do
        kill -0 "$2" 2>/dev/null || fail "train_all has ended early: $(tail -n 20 killed.log)"
        sleep 0.2
    done
}

step "${train_all[@]}" >whole.log
files 10 "results/nnUNet/*/$task/Tiny__nnUNetPlansSmall/fold_*/model_final_checkpoint.model"
mv results whole
mkdir results

"${train_all[@]}" >killed.log 2>&1 &
until_done 3 $!
kill -KILL $!
wait $! || true
"${train_all[@]}" >>killed.log 2>&1 &
until_done 6 $!
kill -TERM $!
code=0
wait $! || code=$?
[ $code -eq 3 ] || fail "train_all ended with $code when it was stopped: $(tail -n 20 killed.log)"
step "${train_all[@]}" >>killed.log
grep -q "was finished by an earlier run" killed.log || fail "nothing was finished before"

# Label maps, probabilities, checkpoints and choices; JSON without its times. Logs and pictures have times too.
listed() {
    (cd "$1/nnUNet" && find . -type f -regex '.*\.\(gz\|npz\|pkl\|model\|csv\|json\|txt\)' \
        ! -name debug.json ! -name training.json ! -name 'training_log*' | sort)
}
listed whole >whole.txt
listed results >killed.txt
cmp whole.txt killed.txt || fail "there are other files: $(diff whole.txt killed.txt)"
different=0
while IFS= read -r file; do
    case $file in
    *.json)
        cmp -s <(grep -vE '"(timestamp|id)"' "whole/nnUNet/$file") <(grep -vE '"(timestamp|id)"' "results/nnUNet/$file")
        ;;
    *) cmp -s "whole/nnUNet/$file" "results/nnUNet/$file" ;;
    esac || { echo "$file differs"; different=$((different + 1)); }
done <whole.txt
[ $different -eq 0 ] || fail "$different of $(wc -l <whole.txt) files differ"
echo "killed twice, train_all leaves the same bytes: $(wc -l <whole.txt) files; $SECONDS s"
