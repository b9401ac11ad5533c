#!/usr/bin/env bash
# Installs what counting instructions needs; running it again changes nothing.
#
#   valgrind:              Debian's package, unless there is one
#   iai-callgrind-runner:  with cargo, in exactly the version of the library in Cargo.lock
#
# Then: cargo bench -p zwasm-benches --features callgrind --bench callgrind
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind > /dev/null; then
    if ! command -v apt-get > /dev/null; then
        echo "error: valgrind is missing and there is no apt-get: install it with the system's package manager" >&2
        exit 1
    fi
    apt-get update -q
    apt-get install -y -q --no-install-recommends valgrind
fi
valgrind --version

version=$(sed -n '/^name = "iai-callgrind"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
[[ -n "$version" ]] || { echo "error: iai-callgrind is not in Cargo.lock" >&2; exit 1; }
# Does nothing when that version is installed.
cargo install iai-callgrind-runner --version "$version" --locked
command -v iai-callgrind-runner > /dev/null ||
    { echo "error: cargo's bin directory is not in PATH" >&2; exit 1; }
echo "iai-callgrind-runner $version"
