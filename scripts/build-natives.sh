#!/usr/bin/env bash
# Builds the native twins, all or those named, into <target>/native/<id>, where <target> is
# $CARGO_TARGET_DIR or target/. `--check` also compares their output with the manifest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup-wasm-toolchains.sh --no-rust > /dev/null
python3 scripts/workloads.py natives "$@"
