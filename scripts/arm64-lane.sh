#!/usr/bin/env bash
# Builds for ARM64 and runs tests there: on an x86_64 host under the emulator, slowly.
#
#   scripts/arm64-lane.sh                 the crates named below: spec scripts and corpus included
#   scripts/arm64-lane.sh -p zwasm-jit …  what `cargo test --tests` is to be given instead
#   scripts/arm64-lane.sh run …           `cargo run` with these arguments, for example
#                                         run --profile fuzz -p zwasm-diff -- --in-process --no-guards --count 1000
#   scripts/arm64-lane.sh build …         `cargo build`; `compare arm64` wants --release -p zwasm-cli
#
# Installs what is missing (Debian; through sudo when not root): a compiler with ARM64's standard
# library, a linker, a C library and the emulator. Debian's compiler is used because its libraries
# for other architectures are packages. Build products are kept apart, in <target>/arm64.
set -euo pipefail
cd "$(dirname "$0")/.."

# `--tests`: documentation tests would need a rustdoc of the same build.
command=(test --tests)
if [ "${1-}" = run ] || [ "${1-}" = build ]; then
    command=("$1")
    shift
fi

if [ "$(uname -m)" = aarch64 ]; then
    exec cargo "${command[@]}" "${@:---workspace}"
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

debian=(rustc-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross libc6:arm64 qemu-user)
for package in "${debian[@]}"; do
    if ! dpkg-query --show --showformat='${Status}\n' "$package" 2> /dev/null | grep -q '^install ok'; then
        as_root dpkg --add-architecture arm64
        as_root apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -qy --no-install-recommends "${debian[@]}"
        break
    fi
done

export RUSTC=/usr/bin/rustc
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/arm64
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# Without `-L`: the dynamic linker of the cross packages would find the C library of the ARM64
# packages, another build, and starting a thread would hang.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64
# The emulator takes 16 bytes for every page that a memory reserves, and never gives them back.
export ZWASM_DIFF_NO_GUARDS=${ZWASM_DIFF_NO_GUARDS-1}
export ZWASM_DIFF_MODULES=${ZWASM_DIFF_MODULES-600}
export ZWASM_ROBUST_ROUNDS=${ZWASM_ROBUST_ROUNDS-0.1}
export ZWASM_SPEC_RESERVATION_BYTES=${ZWASM_SPEC_RESERVATION_BYTES-67108864}
if [ $# -gt 0 ]; then
    exec cargo "${command[@]}" --target aarch64-unknown-linux-gnu "$@"
fi
# Optimised, with the checks of a test: an emulator is slow enough. One selection of packages: of each other one,
# cargo would build what they share anew, with other features.
packages=(zwasm-core zwasm-jit zwasm-wast zwasm-diff zwasm zwasm-wasi)
# Without `output` of the differential test: the system, which runs the children of emulated programs, cannot run the
# command. Without `process`: the emulator starts no threads in a child. Of WASI these only: the others are about the
# system, whose paths the emulator does not treat like Linux. Not yet: `operators` and `soak`.
tests=(execute golden spec bounded growth api robust tiers corpus linked)
# The scripts once more with detours of the compilers take longer than all else: by name,
# `scripts/arm64-lane.sh -p zwasm-wast`.
exec cargo test --profile fuzz --target aarch64-unknown-linux-gnu "${packages[@]/#/--package=}" \
    --lib "${tests[@]/#/--test=}" -- --skip with_detours
