#!/usr/bin/env bash
# Rebuilds the corpus from source: all of it, or the workloads named. Updates sizes, hashes and
# features in the manifest and checks every output; `--bless` accepts changed outputs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup-wasm-toolchains.sh > /dev/null
python3 scripts/workloads.py build "$@"
python3 scripts/workloads.py readme
