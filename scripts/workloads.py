"""Builds the benchmark corpus and keeps its manifest true.

    scripts/workloads.py build [--bless] [--no-run] [ID…]   sources → wasm/, hashes and outputs → manifest
    scripts/workloads.py natives [--check] [ID…]            native twins → <target>/native/<id>
    scripts/workloads.py time [ID…]                         iteration times under wasmtime and natively
    scripts/workloads.py readme                             the table in workloads/README.md

`scripts/build-workloads.sh` and `scripts/build-natives.sh` are the usual way in. To add a workload,
add its entry to the manifest (id, category, language, source, licence, description) and build it with
`--bless`: the rest of the entry is filled in. Without `--bless` a changed output is an error.

The corpus and each suite of its own (`workloads/polybench`) are folders with a manifest; ids are unique over all.

A source may carry build flags for its wasm build in a line `//@ flags: …`; target, features and
expected output go into the manifest, which this script rewrites in one canonical form.
"""

import hashlib
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "workloads"
# The corpus comes first; suites of their own lie in it.
FOLDERS = [CORPUS, CORPUS / "polybench", CORPUS / "start-up"]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
TOOLS = TARGET / "wasm-tools-venv"
BIN = TOOLS / "bin"
WASMTIME = [str(BIN / "wasmtime"), "run", "-W", "all-proposals=y"]
RUSTC_FOR_WASM = os.environ.get("ZWASM_RUSTC_WASM", "/usr/bin/rustc")
NATIVE_TARGET = "x86_64-linux-musl"

# Features by the name the manifest uses → the name `wasm-tools validate` knows it by.
FEATURES = {
    "bulk-memory": "bulk-memory",
    "sign-extension": "sign-extension",
    "saturating-float-to-int": "saturating-float-to-int",
    "multi-value": "multi-value",
    "reference-types": "reference-types",
    "simd": "simd",
    "relaxed-simd": "relaxed-simd",
    "tail-call": "tail-call",
    "memory64": "memory64",
    "multi-memory": "multi-memory",
    "exceptions": "exceptions",
    "extended-const": "extended-const",
}


def fail(message):
    sys.exit(f"workloads: {message}")


def run(command, **kwargs):
    done = subprocess.run(command, capture_output=True, **kwargs)
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stdout + done.stderr)
        fail(f"exit code {done.returncode}: {shlex.join(map(str, command))}")
    return done.stdout


# ---- Manifest ----------------------------------------------------------------------------------


def load(folder):
    """A manifest, whose entries remember their folder."""
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    for entry in entries_of(manifest):
        entry["folder"] = folder
    return manifest


def entries_of(manifest):
    return manifest.get("workload", []) + manifest.get("example", [])


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


ORDER = ["id", "category", "language", "source", "licence", "module", "sha256", "bytes", "features",
         "startup", "description", "args", "dir", "expected", "checksum", "flags"]


def emit_table(lines, table):
    for key in sorted((k for k in table if k in ORDER), key=ORDER.index):
        lines.append(f"{key} = {toml_value(table[key])}")


def save(folder, manifest):
    lines = ["# `scripts/build-workloads.sh` writes module, sha256, bytes, features and the two",
             "# sizes; everything else is written by hand. See README.md.", "", "version = 1"]
    lines += [f"{key} = {toml_value(manifest[key])}" for key in ("categories", "includes") if key in manifest]
    for kind in ("workload", "example"):
        for entry in manifest.get(kind, []):
            lines += ["", f"[[{kind}]]"]
            emit_table(lines, entry)
            for sub in ("small", "standard", "native"):
                if sub in entry:
                    lines.append(f"[{kind}.{sub}]")
                    emit_table(lines, entry[sub])
    (folder / "manifest.toml").write_text("\n".join(lines) + "\n")


def chosen(manifests, ids):
    """The entries named, or all."""
    entries = [e for manifest in manifests for e in entries_of(manifest)]
    unknown = set(ids) - {e["id"] for e in entries}
    if unknown:
        fail(f"no such workload: {', '.join(sorted(unknown))}")
    return [e for e in entries if not ids or e["id"] in ids]


# ---- Building ----------------------------------------------------------------------------------


def source_flags(path, key="flags"):
    found = re.search(rf"^(?://|;;)@ {key}: (.*)$", path.read_text(), re.MULTILINE)
    return shlex.split(found[1]) if found else []


def zig_cc(arguments):
    run([str(BIN / "python"), "-m", "ziglang", "cc", *arguments])


C_FLAGS = ["-std=gnu23", "-O2", "-s", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]


def build_c(source, out):
    flags = source_flags(source)
    target = [] if any(f.startswith("--target=") for f in flags) else ["--target=wasm32-wasi"]
    zig_cc([*target, *C_FLAGS, *flags, str(source), "-o", str(out)])


def build_wat(source, out):
    text = source.read_text()
    prelude = (CORPUS / "src-wat" / "prelude.wat").read_text()
    text = text.replace("  ;;@prelude\n", prelude)
    with tempfile.NamedTemporaryFile("w", suffix=".wat") as file:
        file.write(text)
        file.flush()
        run([str(BIN / "wasm-tools"), "parse", file.name, "-o", str(out)])


def build_generated(source, out):
    text = run([sys.executable, str(source)], text=True)
    with tempfile.NamedTemporaryFile("w", suffix=".wat", dir=source.parent) as file:
        file.write(text)
        file.flush()
        build_wat(Path(file.name), out)


def rust_sources():
    """The library sources, whose paths would otherwise end up in panic messages."""
    return run([RUSTC_FOR_WASM, "--print", "sysroot"], text=True).strip() + "/lib/rustlib/src/rust"


def build_rust(entries):
    """Builds these Rust workloads at once, to where the modules then are: they share one standard library build."""
    out = TARGET / "rust-wasm"
    stems = sorted(Path(e["source"]).stem for e in entries if e["source"].endswith(".rs"))
    if stems:
        bins = [word for stem in stems for word in ("--bin", stem)]
        linker = TOOLS / "wasi-ld"
        linker.write_text(
            "#!/bin/bash\n# Links for wasm32-wasi with zig's linker and C library; drops what rustc adds for others.\n"
            'args=()\nfor a in "$@"; do\n  case "$a" in\n'
            "    -Wl,--stack-first|-Wl,-z|-Wl,stack-size=*|--target=*|-nodefaultlibs|-Wl,--no-demangle) ;;\n"
            '    *) args+=("$a") ;;\n  esac\ndone\n'
            f'exec {BIN / "python"} -m ziglang cc -target wasm32-wasi "${{args[@]}}"\n')
        linker.chmod(0o755)
        # No path of this machine may end up in a panic message. Later prefixes win.
        cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
        prefixes = [(Path.home(), "~"), (CORPUS / "src-rust", "."), (rust_sources(), "rust")]
        prefixes += [(source, "deps") for source in sorted((cargo_home / "registry" / "src").glob("*"))]
        remap = " ".join(f"--remap-path-prefix={path}={name}" for path, name in prefixes)
        env = dict(os.environ, RUSTC_BOOTSTRAP="1", RUSTC=RUSTC_FOR_WASM, CARGO_TARGET_DIR=str(out),
                   RUSTFLAGS=f"-Clinker-flavor=gcc -Clink-self-contained=no -Clinker={linker} {remap}")
        done = subprocess.run(["cargo", "build", "--release", "-Z", "build-std=std,panic_abort", "--target",
                               "wasm32-wasip1", *bins], cwd=CORPUS / "src-rust", env=env)
        if done.returncode != 0:
            fail("the Rust workloads do not build")
    return out / "wasm32-wasip1" / "release"


def build_module(entry, rust, out):
    source = entry["folder"] / entry["source"]
    match source.suffix:
        case ".c":
            build_c(source, out)
        case ".wat":
            build_wat(source, out)
        case ".py":
            build_generated(source, out)
        case ".rs":
            out.write_bytes((rust / (source.stem + ".wasm")).read_bytes())
        case other:
            fail(f"{entry['id']}: no way to build {other}")
    # Names, producers and target features say nothing that runs; `-a` drops every custom section.
    run([str(BIN / "wasm-tools"), "strip", "-a", str(out), "-o", str(out)])


def features_of(module):
    """The features without which the module does not validate."""
    def valid(features):
        return subprocess.run([str(BIN / "wasm-tools"), "validate", f"--features={features}", str(module)],
                              capture_output=True).returncode == 0
    if not valid("all"):
        fail(f"{module} does not validate")
    return [name for name, flag in FEATURES.items() if not valid(f"all,-{flag}")]


def wasmtime(module, *args, dirs=()):
    with_dirs = [a for d in dirs for a in ("--dir", d)]
    return run([*WASMTIME, *with_dirs, str(module), *args], text=True)


ITERATION = re.compile(r"iter (\d+) (\d+) ([0-9a-f]{16})")


def iterations(text, count, label):
    lines = text.splitlines()
    found = [ITERATION.fullmatch(line) for line in lines]
    if len(lines) != count or not all(found) or [int(m[1]) for m in found] != list(range(count)):
        fail(f"{label}: bench output does not follow the protocol:\n{text}")
    return [int(m[2]) for m in found], {m[3] for m in found}


def observe(entry, module):
    """Runs both sizes and returns what the manifest should say about them."""
    if wasmtime(module, "bench", "0"):
        fail(f"{entry['id']}: `bench 0` printed something")
    sizes = {}
    for name, args in (("small", ["small"]), ("standard", [])):
        expected = wasmtime(module, *args)
        checksum = re.search(r"^checksum ([0-9a-f]{16})\n\Z", expected, re.MULTILINE)
        if not checksum:
            fail(f"{entry['id']}: no checksum line at the end of its output")
        _, sums = iterations(wasmtime(module, "bench", "3", *args), 3, entry["id"])
        if sums != {checksum[1]}:
            fail(f"{entry['id']}: iterations print {sums}, the plain run {checksum[1]}")
        sizes[name] = {"args": args, "expected": expected, "checksum": checksum[1]}
    return sizes


def command_build(ids, bless, no_run):
    manifests = {folder: load(folder) for folder in FOLDERS}
    wrong = []
    entries = chosen(manifests.values(), ids)
    rust = build_rust(entries)
    for entry in entries:
        module = entry["folder"] / "wasm" / f"{entry['id']}.wasm"
        module.parent.mkdir(exist_ok=True)
        built = TARGET / "wasm-built" / module.name
        built.parent.mkdir(parents=True, exist_ok=True)
        build_module(entry, rust, built)
        data = built.read_bytes()
        if not module.exists() or module.read_bytes() != data:
            module.write_bytes(data)
            print(f"{entry['id']}: {len(data)} bytes")
        entry["module"] = f"wasm/{module.name}"
        entry["sha256"] = hashlib.sha256(data).hexdigest()
        entry["bytes"] = len(data)
        entry["features"] = features_of(module)
        if no_run:
            continue
        if "dir" in entry:
            seen = {"expected": wasmtime(module, *entry["args"], dirs=[f"{CORPUS / entry['dir']}::/data"])}
        else:
            entry.setdefault("startup", False)
            seen = observe(entry, module)
        for key, value in seen.items():
            if key in entry and entry[key] != value and not bless:
                wrong.append(f"{entry['id']}: {key} is now {value!r}, the manifest says {entry[key]!r}")
            else:
                entry[key] = value
    for folder, manifest in manifests.items():
        save(folder, manifest)
    if wrong:
        fail("outputs changed (--bless accepts them):\n" + "\n".join(wrong))


def native_path(entry):
    return TARGET / "native" / entry["id"]


def command_natives(ids, check):
    entries = [e for e in chosen(map(load, FOLDERS), ids) if "native" in e]
    (TARGET / "native").mkdir(parents=True, exist_ok=True)
    if any(e["language"] == "rust" for e in entries):
        out = TARGET / "rust-native"
        env = dict(os.environ, CARGO_TARGET_DIR=str(out))
        run(["cargo", "build", "--release", "--quiet"], cwd=CORPUS / "src-rust", env=env)
    for entry in entries:
        native = entry["native"]
        source, out = entry["folder"] / native["source"], native_path(entry)
        if source.suffix == ".rs":
            out.write_bytes((TARGET / "rust-native" / "release" / source.stem).read_bytes())
            out.chmod(0o755)
        else:
            zig_cc([f"--target={NATIVE_TARGET}", *C_FLAGS, *native["flags"], str(source), "-o", str(out)])
        if check:
            for size in ("small", "standard"):
                seen = run([str(out), *entry[size]["args"]], text=True)
                if seen != entry[size]["expected"]:
                    fail(f"{entry['id']}: the native twin prints {seen!r}, the module {entry[size]['expected']!r}")
    print(f"{len(entries)} native twins in {TARGET / 'native'}")


def command_time(ids):
    print(f"{'id':20} {'category':14} {'standard ms':>11} {'small ms':>9} {'native ms':>10}")
    for entry in chosen(map(load, FOLDERS), ids):
        if "standard" not in entry:
            continue
        module = entry["folder"] / entry["module"]
        def median_ms(text):
            return statistics.median(iterations(text, 7, entry["id"])[0][2:]) / 1e6
        standard = median_ms(wasmtime(module, "bench", "7"))
        small = median_ms(wasmtime(module, "bench", "7", "small"))
        native = ""
        if native_path(entry).exists():
            native = f"{median_ms(run([str(native_path(entry)), 'bench', '7'], text=True)):.2f}"
        note = "" if entry["startup"] or (20 <= standard <= 60 and 0.3 <= small <= 3) else "  <- out of range"
        print(f"{entry['id']:20} {entry['category']:14} {standard:11.2f} {small:9.2f} {native:>10}{note}", flush=True)


# ---- README ------------------------------------------------------------------------------------


def command_readme():
    manifest = load(CORPUS)
    rows = ["| id | category | source | bytes | features beyond sign extension | what it does |", "|---|---|---|---|---|---|"]
    for e in sorted(manifest["workload"], key=lambda e: (e["category"], e["id"])):
        features = [f for f in e["features"] if f != "sign-extension"]
        rows.append(f"| {e['id']} | {e['category']} | [{Path(e['source']).name}]({e['source']}) | {e['bytes']} "
                    f"| {', '.join(features)} | {e['description']} |")
    readme = CORPUS / "README.md"
    text = readme.read_text()
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->"
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    total = sum(e["bytes"] for e in manifest["workload"])
    summary = f"{len(manifest['workload'])} workloads, {total} bytes of modules.\n\n"
    readme.write_text(head + begin + summary + "\n".join(rows) + "\n" + end + tail)


def main():
    arguments = sys.argv[1:]
    flags = {a for a in arguments if a.startswith("--")}
    command, *ids = [a for a in arguments if not a.startswith("--")] or [""]
    if not (BIN / "wasmtime").exists():
        fail("no toolchain: run scripts/setup-wasm-toolchains.sh first")
    match command:
        case "build":
            command_build(ids, "--bless" in flags, "--no-run" in flags)
        case "natives":
            command_natives(ids, "--check" in flags)
        case "time":
            command_time(ids)
        case "readme":
            command_readme()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
