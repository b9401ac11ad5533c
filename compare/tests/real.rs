//! Suite `real` from outside: with a made-up module under engines that are shell scripts, and, when
//! asked for, with the published modules under real engines.

use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use zwasm_reports::schema::{CellStatus, Metric, Results};

/// A tier that prints its stdin, and leaves a file in the folder given by `--dir`.
const ENGINE: &str = r#"#!/bin/sh
case $1 in --version) echo "zwasm 9.9.9 (fake)"; exit 0;; esac
if [ "$1" = compile ]; then echo '{"load_ns": 3000, "compile_ns": 4000}'; exit 0; fi
[ "$3" = interp ] || { echo "zwasm: this build has no tier $3" >&2; exit 2; }
shift 3
if [ "$1" = --dir ]; then
  dir=${2%%::*}
  [ -e "$dir/left" ] && exit 9
  echo left > "$dir/left"
  cat
  exit 3
fi
"#;

const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

fn compare(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(args)
        .output()
        .unwrap()
}

/// A folder with a suite of one module, whose package is unpacked already, and a tier.
fn place(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    for sub in ["corpus/real", "modules/tiny-1.0"] {
        fs::create_dir_all(dir.join(sub)).unwrap();
    }
    fs::write(dir.join("modules/tiny-1.0/tiny.wasm"), MODULE).unwrap();
    fs::write(dir.join("corpus/real/in.txt"), "a line\n").unwrap();
    let manifest = format!(
        r#"version = 1
[[package]]
id = "tiny"
kind = "pypi"
name = "tiny-package"
version = "1.0"
sha256 = "{}"
[[module]]
id = "tiny"
package = "tiny"
file = "tiny.wasm"
bytes = {}
sha256 = "{}"
licence = "Apache-2.0"
language = "c"
features = []
description = "nothing"
emulated = true
[module.job]
dirs = [["{{work}}", "/work"]]
stdin = "in.txt"
exit = 3
stdout_sha256 = "{}"
files = {{ left = "{}" }}
"#,
        "0".repeat(64),
        MODULE.len(),
        sha256(MODULE),
        sha256(b"a line\n"),
        sha256(b"left\n"),
    );
    fs::write(dir.join("corpus/real/manifest.toml"), manifest).unwrap();
    let engine = dir.join("zwasm");
    fs::write(&engine, ENGINE).unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn run(dir: &Path, more: &[&str]) -> Output {
    let path = |name: &str| dir.join(name).display().to_string();
    let (corpus, modules) = (path("corpus"), path("modules"));
    let (zwasm, out) = (path("zwasm"), path("out"));
    let mut args = vec!["--suite", "real", "--no-install", "--tiers", "interp"];
    args.extend(["--corpus", &corpus, "--real-dir", &modules]);
    args.extend(["--zwasm", &zwasm, "--out", &out]);
    args.extend(more);
    compare(&args)
}

#[test]
fn a_job_is_checked_and_measured() {
    let dir = place("real-run");
    let output = run(&dir, &[]);
    let table = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(table.contains("tiny") && table.contains("MB/s"), "{table}");
    let results = Results::load(&dir.join("out/results.json")).unwrap();
    assert!(results.complete && results.headline() == Metric::FirstResult);
    let cell = results.cell("tiny", "interp").unwrap();
    assert_eq!(cell.status, CellStatus::Ok);
    assert_eq!(cell.calibration.unwrap().compile_ns, 7000);
    // One module alone has the time for ten blocks, each with its reverse.
    assert_eq!(cell.samples.len(), 20);
    assert!(
        cell.samples
            .iter()
            .all(|s| s.first_result_ns <= Some(s.wall_ns))
    );
    let job = results.workloads[0].job.as_ref().unwrap();
    assert_eq!(job.code_section_bytes, 4);
    let page = fs::read_to_string(dir.join("out/index.html")).unwrap();
    assert!(page.contains("Published modules") && page.contains("tiny-package 1.0"));

    // Another output, and another module than the manifest's.
    fs::write(dir.join("corpus/real/in.txt"), "another\n").unwrap();
    assert_eq!(run(&dir, &[]).status.code(), Some(0));
    let results = Results::load(&dir.join("out/results.json")).unwrap();
    assert_eq!(results.cells[0].status.word(), "wrong output");
    fs::write(dir.join("modules/tiny-1.0/tiny.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let output = run(&dir, &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("to fetch it again"), "{errors}");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_module_of_the_users_own_is_a_job() {
    let dir = place("real-own");
    let path = |name: &str| dir.join(name).display().to_string();
    let (module, zwasm, out) = (
        path("modules/tiny-1.0/tiny.wasm"),
        path("zwasm"),
        path("out"),
    );
    let (work, stdin) = (path("corpus"), path("corpus/real/in.txt"));
    let other = format!("zwasm={zwasm}");
    let run = |more: &[&str]| {
        let mut args = vec![module.as_str(), "--against", &other, "--tiers", "interp"];
        args.extend(["--zwasm", &zwasm, "--out", &out]);
        args.extend(more);
        compare(&args)
    };
    // The engine leaves a file in its folder, and refuses where there is one.
    let output = run(&[
        "--dir",
        &format!("{work}::/work"),
        "--stdin",
        &stdin,
        "--",
        "a",
    ]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let results = Results::load(&dir.join("out/results.json")).unwrap();
    let peer = results
        .engines
        .iter()
        .find(|e| e.counterpart.is_some())
        .unwrap();
    // The first run of the peer ended with 3, the second with 9: nothing can be said of outputs.
    assert!(
        results
            .notes
            .iter()
            .any(|note| note.contains("not compared"))
    );
    assert_eq!(
        results.cell("tiny", &peer.id).unwrap().status.word(),
        "crash"
    );

    // Without a folder it does the same each time.
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(0));
    let results = Results::load(&dir.join("out/results.json")).unwrap();
    assert!(results.cells.iter().all(|c| c.status == CellStatus::Ok));
    assert_eq!(results.cells[0].samples.len(), 20);
    assert!(
        results
            .gap("tiny", "interp", &peer.id, Metric::Total)
            .is_some()
    );

    for (more, wanted) in [
        (&["--dir", "/no/such/folder"][..], "no directory"),
        (&["--env", "x"], "not NAME=VALUE"),
        (&["--stdin", "/no/such/file"], "no file"),
    ] {
        let output = run(more);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(wanted), "{errors}");
    }
    fs::write(dir.join("bad.wasm"), "not a module").unwrap();
    let bad = path("bad.wasm");
    let output = compare(&[&bad, "--against", &other, "--zwasm", &zwasm]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("neither a module nor its text"), "{errors}");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_check_runs_each_job_once() {
    let dir = place("real-check");
    let check = |more: &[&str]| {
        let path = |name: &str| dir.join(name).display().to_string();
        let (corpus, modules, zwasm) = (path("corpus"), path("modules"), path("zwasm"));
        let mut args = vec!["--suite", "real", "--check", "--no-install"];
        args.extend([
            "--corpus",
            &corpus,
            "--real-dir",
            &modules,
            "--zwasm",
            &zwasm,
        ]);
        args.extend(more);
        let output = compare(&args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = check(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("tiny  interp           ok "), "{text}");
    assert!(text.ends_with("1 of 1 as expected\n"), "{text}");
    let (code, text) = check(&["--tiers", "interp,opt"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.ends_with(", engines missing: 1\n"), "{text}");
    fs::write(dir.join("corpus/real/in.txt"), "another\n").unwrap();
    let (code, text) = check(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("wrong output: stdout has sha256"), "{text}");
    assert!(text.ends_with("0 of 1 as expected\n"), "{text}");
    assert_eq!(compare(&["--check"]).status.code(), Some(2));
    let other = compare(&["--check", "--suite", "smoke"]);
    assert_eq!(other.status.code(), Some(2));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_may_not_be_fetched_is_named() {
    let dir = place("real-fetch");
    fs::remove_dir_all(dir.join("modules/tiny-1.0")).unwrap();
    let output = run(&dir, &[]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors.contains("tiny-package 1.0 is not in") && errors.contains("--no-install"),
        "{errors}"
    );
    let output = run(&dir, &["--workloads", "nope"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains("no module matches `nope`"), "{errors}");
    fs::remove_dir_all(dir).unwrap();
}

/// Fetches the modules and runs their jobs under every tier and under wasmtime, whose outputs the
/// manifest holds. It takes about ten minutes: `cargo build --release -p zwasm-cli`, then
/// `cargo test -p zwasm-compare --test real -- --ignored`; `ZWASM_REAL=ruby,argon2` names some.
#[test]
#[ignore = "fetches 310 MB of packages"]
fn every_engine_gives_the_expected_outputs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let zwasm = root.join("target/release/zwasm").display().to_string();
    let names = std::env::var("ZWASM_REAL").unwrap_or_else(|_| "*".to_owned());
    let mut args = vec!["--suite", "real", "--check", "--against", "wasmtime"];
    args.extend(["--zwasm", &zwasm, "--workloads", &names]);
    let output = compare(&args);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{errors}");
}
