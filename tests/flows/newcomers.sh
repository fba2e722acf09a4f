#!/usr/bin/env bash
# Records what a researcher sees who begins with nothing but data that have five faults. Every line is run, in a system of its
# own without Rust: a Debian 12 that debootstrap made (CHROOT=FOLDER, as root, with the packages libstdc++6 and libgomp1), or
# else with an empty home and a clean environment. The programs are those that were built.
#
#     [CHROOT=FOLDER] tests/flows/newcomers.sh [PAGE]
#
# PAGE, docs/newcomers.md by default, has a line `<!-- researcher -->` and one `<!-- end of researcher -->`; the recording is
# put between them.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs=${NNUNET_PROGRAMS:-${CARGO_TARGET_DIR:-$repository/target}/release}
page=${1:-$repository/docs/newcomers.md}
libtorch=$(realpath "${LIBTORCH:-$repository/.libtorch}")
outside=$(mktemp -d)
mounted=()

leave() {
    for folder in "${mounted[@]}"; do umount "$folder"; done
    rm -rf "$outside"
}
trap leave EXIT

# show FOLDER NAME: makes a folder of this system visible in the other one, where it cannot be changed.
show() {
    mkdir -p "$CHROOT$2"
    mountpoint -q "$CHROOT$2" && return
    mount -o bind,ro "$1" "$CHROOT$2"
    mounted+=("$CHROOT$2")
}

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
    local command=(env -C "$inside" -i HOME="$inside" PATH="$path" LANG=C.UTF-8 TERM=dumb "${more[@]}" "$@")
    if [ -n "${CHROOT:-}" ]; then chroot "$CHROOT" "${command[@]}"; else "${command[@]}"; fi
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
    sed -i -e "s|$libtorch|LIBTORCH|g" -e "s|/opt/libtorch/$(basename "$libtorch")|LIBTORCH|g" -e "s|$home|~|g" -e "s|$inside|~|g" -e "s|$repository|REPOSITORY|g" "$outside/recording.txt"
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
        show /proc /proc
        # Beside torch lie the packages that its libraries need.
        show "$(dirname "$libtorch")" /opt/libtorch
        more+=(NNUNET_LIBTORCH="/opt/libtorch/$(basename "$libtorch")")
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
max_num_epochs = 40
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
# No Rust, no PyTorch: the programs, and a libtorch beside them.
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

researcher
