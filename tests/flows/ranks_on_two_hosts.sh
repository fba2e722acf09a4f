#!/usr/bin/env bash
# One training by two processes in two network namespaces, which have addresses of their own and a cable between them, as two
# hosts have. Losses must be those of one process.
#
#   tests/flows/ranks_on_two_hosts.sh [FOLDER]        (default target/ranks_on_two_hosts; it is made anew)
#
# It needs unshare, nsenter and ip, and either root or the right to make user namespaces. With CI=true it fails where it
# cannot be tried.
set -euo pipefail
if [ -z "${IN_NAMESPACE-}" ]; then
    as=(unshare --net)
    [ "$(id -u)" -eq 0 ] || as=(unshare --user --map-root-user --net)
    if ! "${as[@]}" ip link add probe type veth peer name other 2>/dev/null; then
        echo "not tried: this user may not make network namespaces (unshare, ip); root may"
        [ "${CI-}" != true ]
        exit
    fi
    IN_NAMESPACE=1 exec "${as[@]}" "$0" "$@"
fi
source "$(dirname "$0")/common.sh"
start "${1:-$repository/target/ranks_on_two_hosts}"

cat >nnunet.toml <<'TOML'
[planners.Small]
extends = "ExperimentPlanner3D_v21"
base_num_features = 4
plans_identifier = "nnUNetPlansSmall"

[trainers.Short]
extends = "nnUNetTrainerV2"
max_num_epochs = 2
num_batches_per_epoch = 10
num_val_batches_per_epoch = 1
batch_size = 3
initial_lr = 0.001
mirror_axes = []
TOML
nnunet=$programs/nnunet
step "$nnunet" example-dataset -o raw/nnUNet_raw_data --task Task900_Phantom --train 6 --test 1 --seed 3
step "$nnunet" plan_and_preprocess -t 900 -pl3d Small -pl2d None -tl 2 -tf 2
train=("$nnunet" train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference --fp32 --deterministic
    --device cpu)
fold=results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall/fold_0

# losses FILE: the losses of every epoch, a number a line.
losses() {
    cat "$fold"/*.jsonl | grep '"event":"epoch"' | grep -oE '"(train|validation)_loss":[^,}]*' | sed 's/.*://' >"$1"
    rm -r "$fold"
}

step "${train[@]}"
losses one.txt

unshare --net sleep 3600 &
other=$!
trap 'kill $other 2>/dev/null' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
there=(nsenter --net --target "$other")
ip link set lo up
ip link add cable type veth peer name end
ip link set end netns "$other"
ip address add 10.98.76.1/24 dev cable
ip link set cable up
"${there[@]}" ip address add 10.98.76.2/24 dev end
"${there[@]}" ip link set end up

export WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 MASTER_ADDR=10.98.76.1 MASTER_PORT=29511
RANK=1 "${there[@]}" "${train[@]}" >second.log 2>&1 &
second=$!
RANK=0 step "${train[@]}" | tee first.log
wait $second || fail "the second process: $(cat second.log)"
grep -q "rank 1 of 2; they meet at 10.98.76.1:29511" second.log || fail "$(cat second.log)"
losses two.txt

[ "$(wc -l <one.txt)" -eq 4 ] || fail "one.txt: $(cat one.txt)"
paste one.txt two.txt | awk '
    { d = $1 - $2; if (d < 0) d = -d; if (NF != 2 || d > 1e-4) bad = 1; if (d > most) most = d }
    END { if (bad) exit 1; print "two hosts train as one does: losses differ by at most " most }' ||
    fail "losses of one process and of two: $(paste one.txt two.txt)"
