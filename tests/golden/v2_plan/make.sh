#!/usr/bin/env bash
# Makes the fingerprints and plans with nnunetv2 2.8.1 from raw tasks of v1.
#   V2=BIN_FOLDER v2_plan/make.sh OUT TASK_FOLDER...
set -euo pipefail
v2=${V2:?bin folder of an environment with nnunetv2 2.8.1}
out=$1
shift
work=$(mktemp -d)
export nnUNet_raw=$work/raw nnUNet_preprocessed=$work/preprocessed nnUNet_results=$work/results
export OMP_NUM_THREADS=1 nnUNet_def_n_proc=1
mkdir -p "$nnUNet_raw" "$nnUNet_preprocessed" "$nnUNet_results"
for task in "$@"; do
  base=$(basename "$task")
  name=Dataset${base#Task}
  id=${base#Task}
  id=${id%%_*}
  "$v2/nnUNetv2_convert_old_nnUNet_dataset" "$task" "$name"
  for planner in ExperimentPlanner nnUNetPlannerResEncM nnUNetPlannerResEncL nnUNetPlannerResEncXL; do
    "$v2/nnUNetv2_plan_and_preprocess" -d "$id" --verify_dataset_integrity -pl "$planner" --no_pp -npfp 1
  done
  "$v2/nnUNetv2_plan_experiment" -d "$id" -gpu_memory_target 24 -overwrite_plans_name nnUNetPlans24G
  "$v2/nnUNetv2_plan_experiment" -d "$id" -overwrite_target_spacing 1.5 1.25 1.25 -overwrite_plans_name nnUNetPlansSpaced
  mkdir -p "$out/$name"
  cp "$nnUNet_preprocessed/$name/"*.json "$out/$name/"
  cp "$nnUNet_raw/$name/dataset.json" "$out/$name/raw_dataset.json"
done
rm -r "$work"
