//! The arrows between our crates, as `ARCHITECTURE.md` draws them, against `cargo metadata`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Who may use whom, in code that is shipped. Tests may use `zwasm-workloads` besides.
const ALLOWED: &[(&str, &[&str])] = &[
    ("zwasm-core", &[]),
    ("zwasm-terminal", &["zwasm-core"]),
    ("zwasm-jit", &["zwasm-core"]),
    ("zwasm", &["zwasm-core", "zwasm-jit"]),
    ("zwasm-wasi", &["zwasm"]),
    ("zwasm-wast", &["zwasm"]),
    ("zwasm-diff", &["zwasm", "zwasm-terminal"]),
    (
        "zwasm-cli",
        &["zwasm", "zwasm-wasi", "zwasm-wast", "zwasm-terminal"],
    ),
    ("zwasm-workloads", &[]),
    ("zwasm-reports", &[]),
    (
        "zwasm-compare",
        &[
            "zwasm",
            "zwasm-wasi",
            "zwasm-workloads",
            "zwasm-reports",
            "zwasm-terminal",
        ],
    ),
    (
        "zwasm-benches",
        &[
            "zwasm-core",
            "zwasm-terminal",
            "zwasm-jit",
            "zwasm",
            "zwasm-wasi",
            "zwasm-wast",
            "zwasm-cli",
            "zwasm-workloads",
            "zwasm-reports",
            "zwasm-compare",
        ],
    ),
];

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let allowed: BTreeMap<_, BTreeSet<_>> = ALLOWED
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<_> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let drawn: BTreeSet<_> = allowed.keys().copied().collect();
    assert_eq!(
        names, drawn,
        "ARCHITECTURE.md and this test name every crate"
    );
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            let is_ours = names.contains(used);
            let for_tests = dependency["kind"].as_str() == Some("dev");
            let fine = !is_ours
                || allowed[name].contains(used)
                || (for_tests && used == "zwasm-workloads");
            assert!(fine, "{name} must not use {used}");
        }
    }
}
