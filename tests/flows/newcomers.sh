#!/usr/bin/env bash
# Records what three people see who begin with nothing: a researcher with data that have five faults, the author of a plugin,
# and a contributor. Every line is run, in a system of its own: a Debian 12 that debootstrap made (CHROOT=FOLDER, as root), or
# else with an empty home and a clean environment. The researcher has no Rust.
#
#     [CHROOT=FOLDER] [WHEEL=FILE] [PEOPLE="researcher author contributor"] tests/flows/newcomers.sh [PAGE]
#
# PAGE is docs/newcomers.md by default; only the recordings of PEOPLE are made anew. With WHEEL the researcher installs it with
# pip, else the programs that were built are used.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs=${NNUNET_PROGRAMS:-${CARGO_TARGET_DIR:-$repository/target}/release}
page=${1:-$repository/docs/newcomers.md}
people=${PEOPLE:-researcher author contributor}
libtorch=$(realpath "${LIBTORCH:-$repository/.libtorch}")
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT

# An empty home, and how to run something there.
enter() {
    if [ -n "${CHROOT:-}" ]; then
        inside=/home/newcomer
        home=$CHROOT$inside
        rm -rf "$home"
    else
        home=$outside/$1
        inside=$home
    fi
    mkdir -p "$home"
    path=/usr/local/bin:/usr/bin:/bin
    more=()
}

in_there() {
    local command=(env -i HOME="$inside" PATH="$path" LANG=C.UTF-8 TERM=dumb "${more[@]}" "$@")
    if [ -n "${CHROOT:-}" ]; then chroot "$CHROOT" "${command[@]}"; else (cd "$home" && "${command[@]}"); fi
}

# Runs lines one after the other in one shell, and prints them with their output. A line that begins with "? " must fail.
# `<<'END'` takes the lines up to END.
player=$(
    cat <<'PLAYER'
cd
while IFS= read -r line <&3; do
    wanted=0
    case $line in
        "") continue ;;
        "#"*) printf "\n%s\n" "$line"; continue ;;
        "? "*) wanted=1; line=${line#"? "} ;;
    esac
    printf "\n$ %s\n" "$line"
    case $line in *"<<"*END*)
        while IFS= read -r more <&3; do
            printf "%s\n" "$more"
            line+=$'\n'$more
            [ "$more" != END ] || break
        done ;;
    esac
    code=0
    eval "$line" 2>&1 </dev/null || code=$?
    if [ $code -ne 0 ]; then printf "(exit code %s)\n" $code; fi
    if [ $((code != 0)) -ne $wanted ]; then printf "UNEXPECTED\n"; exit 9; fi
done
PLAYER
)

play() {
    local code=0
    in_there bash -c "$player" 3< <(cat) >"$outside/recording.txt" || code=$?
    sed -i -e "s|$libtorch|LIBTORCH|g" -e "s|/opt/libtorch|LIBTORCH|g" -e "s|$home|~|g" -e "s|$inside|~|g" -e "s|$repository|REPOSITORY|g" "$outside/recording.txt"
    [ $code -eq 0 ] || { tail -40 "$outside/recording.txt" >&2; echo "FAILED" >&2; exit 1; }
    sed -i '1{/^$/d}' "$outside/recording.txt"
}

# Puts the recording between its marks on the page.
keep() {
    awk -v person="$1" -v file="$outside/recording.txt" '
        $0 == "<!-- end of " person " -->" { skip = 0 }
        !skip { print }
        $0 == "<!-- " person " -->" {
            print "```text"
            while ((getline line < file) > 0) print line
            print "```"
            skip = 1
        }
    ' "$page" >"$outside/page.md"
    cp "$outside/page.md" "$page"
    echo "recorded: $1"
}

# The programs, where users have them.
give_programs() {
    mkdir -p "$home/bin" "$home/.cache/nnunet"
    cp "$programs/nnunet" "$programs/nnunet-torch" "$home/bin"
    path=$inside/bin:$path
    if [ -n "${CHROOT:-}" ]; then
        mkdir -p "$CHROOT/opt/libtorch"
        mountpoint -q "$CHROOT/opt/libtorch" || mount --bind "$libtorch" "$CHROOT/opt/libtorch"
        more+=(NNUNET_LIBTORCH=/opt/libtorch)
    else
        more+=(NNUNET_LIBTORCH="$libtorch")
    fi
}

short_training='
[folders]
raw_data_base = "raw"
preprocessed = "preprocessed"
results = "results"

[planners.Small]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmall"

[trainers.Quick]
extends = "nnUNetTrainerV2"
max_num_epochs = 20
num_batches_per_epoch = 20
num_val_batches_per_epoch = 2
initial_lr = 0.02'

researcher() {
    enter researcher
    give_programs
    # Five faults as they occur.
    in_there nnunet --quiet example_dataset --as dicom -o hospital --task scans --train 6 --test 2
    (
        cd "$home/hospital/scans"
        mkdir ../archive
        cp -r images/patient_02 masks/patient_04.nii.gz masks/patient_05.nii.gz ../archive
        rm images/patient_02/slice_017.dcm
        cp -r images/patient_01 images/patient_03/previous_scan
        cp masks/patient_01.nii.gz masks/patient_04.nii.gz
        head -c 300 ../archive/patient_05.nii.gz >masks/patient_05.nii.gz
        mv masks/patient_06.nii.gz masks/patient_6.nii.gz
    )
    play <<LINES
# No Rust, no PyTorch: the programs and a libtorch that \`nnunet setup\` has installed.
? rustc --version
nnunet --version
nnunet doctor | head -6
# Scans of six patients as they came from the hospital, with masks, and two more to segment.
ls hospital/scans hospital/scans/images hospital/scans/masks
cat > nnunet.toml <<'END'
# A small network and a short training, for this recording.$short_training
END
? nnunet ingest --images hospital/scans/images --masks hospital/scans/masks --task Task001_Scans --labels 1=body 2=head
# Fault 1: an older scan lies in the folder of the same patient.
rm -r hospital/scans/images/patient_03/previous_scan
? nnunet ingest --images hospital/scans/images --masks hospital/scans/masks --task Task001_Scans --labels 1=body 2=head
# Fault 2: a mask is not called like its images.
mv hospital/scans/masks/patient_6.nii.gz hospital/scans/masks/patient_06.nii.gz
? nnunet ingest --images hospital/scans/images --masks hospital/scans/masks --task Task001_Scans --labels 1=body 2=head
# Fault 3: a mask was not copied to its end.
cp hospital/archive/patient_05.nii.gz hospital/scans/masks
? nnunet ingest --images hospital/scans/images --masks hospital/scans/masks --task Task001_Scans --labels 1=body 2=head
# Fault 4: a slice is missing.
cp hospital/archive/patient_02/slice_017.dcm hospital/scans/images/patient_02
? nnunet ingest --images hospital/scans/images --masks hospital/scans/masks --task Task001_Scans --labels 1=body 2=head
# Fault 5: a mask is that of another patient.
cp hospital/archive/patient_04.nii.gz hospital/scans/masks
nnunet ingest --images hospital/scans/images --masks hospital/scans/masks --task Task001_Scans --labels 1=body 2=head
nnunet plan_and_preprocess -t 1 -pl3d Small -pl2d None
nnunet train 3d_fullres Quick 1 0 -p nnUNetPlansSmall | grep -v '^TRAINING\|^VALIDATION' | tail -25
nnunet predict -i hospital/scans/test -o predictions -t 1 -m 3d_fullres -tr Quick -p nnUNetPlansSmall --label_tables
nnunet report results/nnUNet/3d_fullres/Task001_Scans/Quick__nnUNetPlansSmall -o report.html
ls predictions report.html
LINES
    keep researcher
}

give_rust() {
    local rust=${CARGO_HOME:-$HOME/.cargo} toolchains=${RUSTUP_HOME:-$HOME/.rustup}
    if [ -n "${CHROOT:-}" ]; then
        for folder in "$rust" "$toolchains"; do
            mkdir -p "$CHROOT/opt/${folder##*/.}"
            mountpoint -q "$CHROOT/opt/${folder##*/.}" || mount --bind "$folder" "$CHROOT/opt/${folder##*/.}"
        done
        rust=/opt/cargo toolchains=/opt/rustup
    fi
    path=$rust/bin:$path
    more+=(CARGO_HOME="$rust" RUSTUP_HOME="$toolchains" CARGO_TERM_QUIET=true)
}

author() {
    enter author
    give_programs
    give_rust
    play <<LINES
# Rust and the programs.
cargo --version
nnunet --version
nnunet plugins new trainer my-trainer
ls my-trainer my-trainer/src
# The template compiles and is tested as it is.
(cd my-trainer && cargo test --release 2>&1 | grep -v '^\$' | tail -6)
# Its loss stays as it is; the training becomes short.
sed -i 's/blueprint.initial_lr = .*/blueprint.max_num_epochs = 3;/' my-trainer/src/lib.rs
grep -n 'blueprint' my-trainer/src/lib.rs
nnunet plugins check my-trainer
nnunet plugins install my-trainer
nnunet trainers list | grep -i mytrainer
cat > nnunet.toml <<'END'
$short_training
END
nnunet example_dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 6 --test 2
nnunet plan_and_preprocess -t 900 -pl3d Small -pl2d None
nnunet train 3d_fullres MyTrainer 900 0 -p nnUNetPlansSmall --set num_batches_per_epoch=4 --set num_val_batches_per_epoch=1 | tail -12
nnunet predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o predictions -t 900 -m 3d_fullres -tr MyTrainer -p nnUNetPlansSmall
nnunet evaluate_folder -ref raw/nnUNet_raw_data/Task900_Phantom/labelsTs -pred predictions -l 1 2
LINES
    keep author
}

contributor() {
    enter contributor
    give_rust
    # A copy of what is committed, as from a server.
    git clone --quiet --no-hardlinks "$repository" "$home/server.git"
    play <<'LINES'
git clone --quiet server.git nnunet
cd nnunet
head -20 CONTRIBUTING.md
# A crate and its tests, without libtorch.
cargo test --release -p nnunet-schedules 2>&1 | grep -E '^test result|running' | head -4
# A change, and the test that notices it.
grep -rn 'fn .*poly' plugins/schedules/src | head -3
sed -i 's/Self { exponent: 0.9/Self { exponent: 0.8/' plugins/schedules/src/poly.rs
? cargo test --release -p nnunet-schedules >../failed.txt 2>&1
grep -E '^test .*FAILED' ../failed.txt
git checkout --quiet plugins/schedules
cargo fmt --all --check && git status --short
LINES
    keep contributor
}

for person in $people; do
    "$person"
done
