#!/usr/bin/env bash
# What a machine with a GPU is asked: parity with the CPU, seconds and memory. Takes at most eight minutes and prints one
# JSON object; messages go to standard error.
#
#   PROGRAMS=FOLDER   nnunet and nnunet-torch, carried there (target/release)
#   LIBTORCH=FOLDER   torch 2.11.0 of that machine with its CUDA packages, as .../site-packages/torch
#   PYTHON=FILE       a Python with torch, and with nnunetv2 to be measured beside (python3)
#   REHEARSAL=FILE    the library built from tests/rehearsal: tries the script itself, with small plans, where no GPU is
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${PROGRAMS:-$here/../../target/release}
python=${PYTHON:-python3}
[ -x "$programs/nnunet-torch" ] || { echo "there is no $programs/nnunet-torch; set PROGRAMS" >&2; exit 1; }
if [ -n "${LIBTORCH:-}" ]; then
    export LD_LIBRARY_PATH="$LIBTORCH/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
timeout --signal=INT "${SECONDS_AT_MOST:-480}" "$python" "$here/measure.py" "$programs" "$work" "${REHEARSAL:-}"
