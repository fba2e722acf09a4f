#!/usr/bin/env bash
# Makes a stored plugin of this minor: run it once, at the last commit before the minor of the ABI goes up.
#   tests/stored/make.sh 1.1
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(mktemp -d)
export CARGO_TARGET_DIR=$target CARGO_PROFILE_RELEASE_LTO=true CARGO_PROFILE_RELEASE_OPT_LEVEL=z
export CARGO_PROFILE_RELEASE_STRIP=true CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
export RUSTFLAGS="--remap-path-prefix=$PWD=. --remap-path-prefix=$HOME/.cargo=cargo"
cargo build --release --package my-imaging
gzip -9 -n -c "$target/release/libmy_imaging.so" > "tests/stored/my_imaging-$1.so.gz"
rm -r "$target"
