#!/usr/bin/env python3
"""Runs jobs of suite `real` on ARM64 under the emulator, in every tier, and checks what they give.

    scripts/arm64-real.py             the modules that the manifest calls fit for an emulator
    scripts/arm64-real.py usvg …      these

Modules are fetched by `compare fetch` before; the command is built as `scripts/arm64-lane.sh` does.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUITE = ROOT / "workloads/real"
BUILT = ROOT / "target/arm64/aarch64-unknown-linux-gnu/fuzz/zwasm"
TIERS = ["interp", "baseline", "opt"]
TIMEOUT_S = 1200


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def command(module, package, work, tier):
    """The command line of a job. `package` is its package's folder, `work` the one that it may write to."""

    def place(text):
        text = text.replace("{module}", str(package / module["file"]))
        text = text.replace("{package}", str(package)).replace("{work}", work)
        return text if pathlib.Path(text).is_absolute() else str(SUITE / text)

    job = module["job"]
    options = ["--tier", tier]
    for host, guest in job.get("dirs", []):
        options += ["--dir", f"{place(host)}::{guest}"]
    for name, file in job.get("preload", []):
        options += ["--preload", f"{name}={place(file)}"]
    for name, value in job.get("env", {}).items():
        options += ["--env", f"{name}={value}"]
    if "invoke" in job:
        options += ["--invoke", job["invoke"]]
    main = place(job.get("main", "{module}"))
    return ["qemu-aarch64", str(BUILT), "run", *options, main, *job.get("args", [])]


def run(module, package, tier):
    """What went wrong, or nothing."""
    job = module["job"]
    with tempfile.TemporaryDirectory() as work:
        stdin = (SUITE / job["stdin"]).read_bytes() if "stdin" in job else b""
        line = command(module, package, work, tier)
        # What this build makes of it, not what another run has kept.
        env = {**os.environ, "ZWASM_CACHE": "n"}
        done = subprocess.run(line, input=stdin, env=env, capture_output=True, timeout=TIMEOUT_S)
        if sha256(done.stdout) != job["stdout_sha256"]:
            return f"exit {done.returncode}, other output: {done.stderr[-300:]!r}"
        for name, expected in job.get("files", {}).items():
            file = pathlib.Path(work, name)
            if not file.exists() or sha256(file.read_bytes()) != expected:
                return f"{name} is not what it should be"
    return None


def main():
    subprocess.run(
        [ROOT / "scripts/arm64-lane.sh", "build", "--profile", "fuzz", "-p", "zwasm-cli"], check=True
    )
    manifest = tomllib.loads((SUITE / "manifest.toml").read_text())
    packages = {package["id"]: package["version"] for package in manifest["package"]}
    failed = 0
    for module in manifest["module"]:
        wanted = module["id"] in sys.argv[1:] if sys.argv[1:] else module["emulated"]
        if not wanted:
            continue
        package = ROOT / "target/real" / f"{module['package']}-{packages[module['package']]}"
        path = package / module["file"]
        if not path.exists() or sha256(path.read_bytes()) != module["sha256"]:
            print(f"{module['id']}: not fetched")
            failed += 1
            continue
        for tier in TIERS:
            wrong = run(module, package, tier)
            print(f"{module['id']:16} {tier:9} {wrong or 'as expected'}", flush=True)
            failed += wrong is not None
    sys.exit(failed > 0)


main()
