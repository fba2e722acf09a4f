#!/usr/bin/env bash
# Runs the user guide (docs/guide): writes its blocks with file=NAME, and runs its `sh` blocks, page by page in the order of
# docs/SUMMARY.md, in one folder. Blocks marked `console` are shown only. Needs the built programs.
#
#     tests/flows/guide.sh [FOLDER]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
pages=$(sed -n 's/.*(\(guide\/[^)]*\)).*/\1/p' "$repository/docs/SUMMARY.md")
start "${1:-$repository/target/guide}"
unset nnUNet_raw_data_base nnUNet_preprocessed RESULTS_FOLDER
PATH=$programs:$PATH
export NNUNET_PLUGIN_PATH= XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config

for page in $pages; do
    echo "== $page"
    awk -v folder="$work" '
        /^```/ && open { open = 0; close(target); next }
        /^```/ {
            open = 1
            target = "/dev/null"
            if ($1 == "```sh") target = folder "/commands.sh"
            if (match($0, /file=[^ ]+/)) target = folder "/" substr($0, RSTART + 5, RLENGTH - 5)
            next
        }
        open { print >> target }
    ' "$repository/docs/$page"
    if [ -f commands.sh ]; then
        step bash -eu commands.sh
        rm commands.sh
    fi
done

fold=results/nnUNet/3d_fullres/Task900_Phantom/Quick__nnUNetPlansSmall/fold_0
for file in "$fold/model_final_checkpoint.model" "$fold/progress.png" predictions/summary.json cases.png model.zip; do
    [ -s "$file" ] || fail "the guide did not make $file"
done
files 2 'predictions/*.nii.gz'
files 2 'from_archive/*.nii.gz'
files 1 'from_dicom/*.nii.gz'
files 5 'raw/nnUNet_raw_data/Task901_Scans/labelsTr/*.nii.gz'
files 5 'raw/nnUNet_raw_data/Task902_Cells/labelsTr/*.nii.gz'
echo "OK"
