# What the flows share: v1's three folders below $work, v1's command names on the PATH, checks.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs=${NNUNET_PROGRAMS:-${CARGO_TARGET_DIR:-$repository/target}/release}

# Sets `data` to the hippocampus subset, in NNUNET_REFERENCE or in shared/reference beside the repository; ends the script
# where there is none.
find_hippocampus() {
    data=${NNUNET_REFERENCE:-$repository/../shared/reference}/hippocampus/Task004_Hippocampus
    [ -d "$data" ] || { echo "skipped: there are no data at $data"; exit 0; }
    data=$(cd "$data" && pwd)
}

# Makes the folders anew; `nnUNet_train` and so on are links to the program that was built.
start() {
    work=$1
    rm -rf "$work"
    mkdir -p "$work"
    work=$(cd "$work" && pwd)
    export nnUNet_raw_data_base=$work/raw nnUNet_preprocessed=$work/preprocessed RESULTS_FOLDER=$work/results
    mkdir -p "$nnUNet_raw_data_base/nnUNet_raw_data" "$nnUNet_preprocessed" "$RESULTS_FOLDER"
    "$programs/nnunet" --quiet aliases --dir "$work/bin"
    PATH=$work/bin:$PATH
    cd "$work"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# step COMMAND...: runs it with its time.
step() {
    local begin=$SECONDS
    echo "\$ $*"
    "$@" || fail "$*"
    echo "  ($((SECONDS - begin)) s)"
}

# files COUNT PATTERN...: so many files match.
files() {
    local wanted=$1
    shift
    local found
    found=$(compgen -G "$1" | wc -l)
    [ "$found" -eq "$wanted" ] || fail "$found files instead of $wanted: $1"
}

# The foreground's mean Dice that evaluate_folder printed, times 10000.
foreground() {
    sed -n 's/^foreground: mean Dice \([01]\)\.\([0-9]*\).*/\1\2/p' "$1"
}

# at_least DICE FILE WHAT: the printed Dice, times 10000, is not below.
at_least() {
    local dice
    dice=$(foreground "$2")
    [ "${dice:-0}" -ge "$1" ] || fail "$3: foreground Dice $dice/10000 is below $1/10000"
}

# printed TASK IMAGES PLACE: runs the commands that find_best_configuration wrote, with folders below PLACE.
printed() {
    local line
    while IFS= read -r line; do
        line=${line//FOLDER_WITH_TEST_CASES/$2}
        line=${line//OUTPUT_FOLDER_MODEL/$3/model}
        line=${line//OUTPUT_FOLDER/$3/merged}
        read -ra words <<<"$line"
        step "${words[@]}" </dev/null
    done <"$RESULTS_FOLDER/nnUNet/ensembles/$1/prediction_commands.txt"
}
