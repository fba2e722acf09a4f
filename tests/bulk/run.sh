#!/usr/bin/env bash
# Compares what the program reads in about 500 generated images with SimpleITK and nibabel: values, geometry, refusals.
# Usage: run.sh [FOLDER]; the Python environment is made in FOLDER (default: target/bulk) and kept there. Needs Python 3
# with venv, and PyPI or pip's cache at the first run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=${1:-"$root/target/bulk"}
python="$folder/venv/bin/python"
if ! "$python" -c 'import SimpleITK, nibabel, numpy' 2>/dev/null; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi
rm -rf "$folder/images"
"$python" "$here/make_images.py" "$folder/images"
cargo build --quiet --release --manifest-path "$root/Cargo.toml" -p nnunet-formats --example dump_images
"$python" "$here/compare.py" "$folder/images" "${CARGO_TARGET_DIR:-$root/target}/release/examples/dump_images"
