#!/usr/bin/env bash
# Records what three people see who begin with nothing: a researcher with data that have five faults, the author of a plugin,
# and a contributor. Every line is run, in a Debian 12 of its own, as root:
#
#     debootstrap --variant=minbase --include=python3-venv,ca-certificates,g++,git bookworm FOLDER
#     CHROOT=FOLDER WHEEL=FILE [PEOPLE="researcher author contributor"] tests/flows/newcomers.sh [PAGE]
#
# WHEEL is what `.ci/wheel` has built. PAGE is docs/newcomers.md by default; only the recordings of PEOPLE are made anew, each
# between its lines `<!-- PERSON -->` and `<!-- end of PERSON -->`. The author and the contributor find Rust in the other
# system, the researcher does not. Without CHROOT the lines are run in this system, with an empty home.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
wheel=$(realpath "${WHEEL:?the wheel that .ci/wheel has built}")
page=${1:-$repository/docs/newcomers.md}
people=${PEOPLE:-researcher author contributor}
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
        show /proc /proc
        # The network of this system.
        for file in /etc/resolv.conf /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
            if [ -f "$file" ]; then cp "$file" "$CHROOT$file"; fi
        done
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
    sed -i -e "s|$home|~|g" -e "s|$inside|~|g" "$outside/recording.txt"
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

# carry FILE: copies it into the home, and prints its name.
carry() {
    cp "$1" "$home"
    basename "$1"
}

# The next person needs no second download of libtorch.
keep_libtorch() {
    mv "$home/.cache/nnunet/libtorch"-* "$outside"
}

restore_libtorch() {
    mkdir -p "$home/.cache/nnunet"
    mv "$outside/libtorch"-* "$home/.cache/nnunet" 2>/dev/null || true
}

# The programs and libtorch, as the researcher has installed them.
give_programs() {
    in_there python3 -m venv nnunet
    in_there nnunet/bin/pip install --quiet --disable-pip-version-check "$(carry "$wheel")"
    restore_libtorch
    in_there nnunet/bin/nnunet --quiet setup
    path=$inside/nnunet/bin:$path
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
    carry "$wheel" >/dev/null
    # Five faults as they occur.
    in_there python3 -m venv maker
    in_there maker/bin/pip install --quiet --disable-pip-version-check "$(basename "$wheel")"
    in_there maker/bin/nnunet --quiet example_dataset --as dicom -o hospital --task scans --train 6 --test 2
    rm -r "$home/maker"
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
# No Rust and no PyTorch, but Python 3 with venv (apt-get install python3-venv), and the wheel.
? rustc --version
ls
python3 -m venv nnunet
nnunet/bin/pip install --quiet --disable-pip-version-check $(basename "$wheel")
nnunet/bin/nnunet setup
# These three commands have installed everything.
export PATH=\$HOME/nnunet/bin:\$PATH
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
    keep_libtorch
}

# The Rust that builds this repository, as rustup installs it.
give_rust() {
    local rust
    rust=$(dirname "$(dirname "$(cd "$repository" && rustup which cargo)")")
    if [ -n "${CHROOT:-}" ]; then
        show "$rust" /opt/rust
        rust=/opt/rust
    fi
    path=$rust/bin:$path
    more+=(CARGO_TERM_QUIET=true)
}

author() {
    enter author
    give_programs
    give_rust
    play <<LINES
# Rust, a C++ compiler, and nnunet, installed as above.
cargo --version
nnunet --version
nnunet plugins new trainer my-trainer
ls my-trainer my-trainer/src
# The template compiles and is tested as it is.
(cd my-trainer && cargo test --release 2>&1 | grep -v '^\$' | tail -6)
# Its loss stays as it is; the training becomes short.
sed -i 's/blueprint.initial_lr = .*/blueprint.max_num_epochs = 3;/' my-trainer/src/lib.rs
grep -n 'blueprint' my-trainer/src/lib.rs
nnunet plugins install my-trainer
nnunet plugins check .local/share/nnunet/plugins/libmy_trainer.so
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
    keep_libtorch
}

contributor() {
    enter contributor
    give_rust
    restore_libtorch
    # A copy of what is committed, as from a server.
    git clone --quiet --bare --no-hardlinks "$repository" "$home/server.git"
    play <<'LINES'
git clone --quiet server.git nnunet
cd nnunet
cargo setup
# `cargo demo` would build all, which takes 10 to 15 minutes on two cores. One crate and its tests:
cargo test --release -p nnunet-schedules --lib 2>&1 | tail -12
# A change, and the test that notices it.
grep -n 'exponent: 0.9' plugins/schedules/src/poly.rs
sed -i 's/exponent: 0.9/exponent: 0.8/' plugins/schedules/src/poly.rs
git diff --stat
? cargo test --release -p nnunet-schedules --lib >../tests.txt 2>&1
grep -E 'FAILED|panicked' ../tests.txt
git checkout --quiet plugins/schedules
cargo fmt --all --check && git status --short
LINES
    keep contributor
}

for person in $people; do
    "$person"
done
