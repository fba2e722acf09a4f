#!/usr/bin/env bash
# With the packages for CUDA installed and no driver: libtorch_cuda loads, and `nnunet doctor` says so.
#
#   LIBTORCH=FOLDER   torch 2.11.0 with its CUDA packages (`cargo setup --cuda`, or .../site-packages/torch)
#   PROGRAMS=FOLDER   nnunet and nnunet-torch (target/release)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${PROGRAMS:-$here/../../target/release}
libtorch=${LIBTORCH:-$here/../../.libtorch}
export LD_LIBRARY_PATH="$libtorch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
found=$("$programs/nnunet" --json doctor)
"$programs/nnunet" doctor
for wanted in '"is_loaded":true' '"device":"cpu"' 'there is no NVIDIA driver'; do
    grep -qF "$wanted" <<<"$found" || { echo "FAILED: doctor does not say $wanted: $found" >&2; exit 1; }
done
if "$programs/nnunet" doctor --device cuda >/dev/null; then
    echo "FAILED: doctor --device cuda must fail without a driver" >&2
    exit 1
fi
# The functions of CUDA graphs, which the program looks up by name.
graphs=$here/../../plugins/torch-ops/src/graph.cpp
names=$(grep -oE '_ZN2at4cuda9CUDAGraph\w+' "$graphs")
for name in $names; do
    grep -qaF "$name" "$libtorch/lib/libtorch_cuda.so" || { echo "FAILED: libtorch_cuda has no $name" >&2; exit 1; }
done
echo "libtorch_cuda has the $(wc -w <<<"$names") functions of CUDA graphs"
