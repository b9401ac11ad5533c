#!/bin/sh
# Looks at the report page in headless Chromium: gets the npm package `playwright-core` into the build
# folder and runs the test that uses it. Needs node, npm and Debian's `chromium`.
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/page-test"
[ -d "$target/page-test/node_modules/playwright-core" ] ||
  npm install --silent --no-audit --no-fund --prefix "$target/page-test" playwright-core@1.55.0
cargo test -p zwasm-reports --test page -- --nocapture
