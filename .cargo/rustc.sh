#!/bin/sh
# Cargo starts the compiler through this script. It stops a build without libtorch with one sentence; otherwise torch-sys
# fails minutes later with a C++ error. The message has the compiler's JSON form, which cargo and editors show as it is.
if [ "$CARGO_PKG_NAME" = torch-sys ] && [ "$LIBTORCH_USE_PYTORCH" != 1 ] && [ ! -f "$LIBTORCH/lib/libtorch_cpu.so" ]; then
    sentence="libtorch is not set up (no $LIBTORCH/lib/libtorch_cpu.so): run \`cargo setup\` once, or set LIBTORCH"
    echo "{\"\$message_type\":\"diagnostic\",\"level\":\"error\",\"message\":\"$sentence\",\"rendered\":\"error: $sentence\\\\n\",\"spans\":[],\"children\":[],\"code\":null}" >&2
    exit 1
fi
exec "$@"
