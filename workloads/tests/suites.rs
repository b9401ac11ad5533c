//! Suites of their own keep the promises of the corpus: manifest, modules, protocol; and nothing of theirs is part
//! of the corpus.

use std::collections::BTreeSet;
use std::path::Path;

use zwasm_workloads::{Corpus, SUITES, Workload};

fn corpus() -> Corpus {
    Corpus::load_from(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the committed corpus loads")
}

fn suites() -> Vec<Corpus> {
    let corpus = corpus();
    let load = |suite| corpus.load_suite(suite).unwrap_or_else(|e| panic!("{e}"));
    SUITES.map(load).into()
}

/// Whether a suite has it from the corpus.
fn is_included(workload: &Workload) -> bool {
    workload.module.starts_with("../")
}

#[test]
fn every_module_is_the_one_the_manifest_describes_and_none_is_left_over() {
    for suite in suites() {
        let mut known = BTreeSet::new();
        for workload in &suite.workloads {
            let bytes = workload
                .read_verified(&suite)
                .unwrap_or_else(|e| panic!("{e}"));
            assert!(bytes.starts_with(b"\0asm\x01\0\0\0"), "{}", workload.id);
            known.insert(workload.module_path(&suite));
        }
        for file in std::fs::read_dir(suite.dir().join("wasm")).expect("the modules' folder") {
            let path = file.expect("an entry").path();
            assert!(known.contains(&path), "{} is in no entry", path.display());
        }
    }
}

#[test]
fn ids_are_unique_over_all() {
    let mut seen = BTreeSet::new();
    for suite in suites().iter().chain([&corpus()]) {
        for workload in suite.workloads.iter().filter(|w| !is_included(w)) {
            assert!(
                seen.insert(workload.id.clone()),
                "{} occurs twice",
                workload.id
            );
        }
    }
}

#[test]
fn workloads_follow_the_protocol_and_say_what_they_are() {
    for suite in suites() {
        for w in &suite.workloads {
            assert!(w.standard.args.is_empty(), "{}", w.id);
            assert_eq!(w.small.args, ["small"], "{}", w.id);
            for size in [&w.small, &w.standard] {
                let last = size.expected.lines().last().unwrap_or_default();
                assert_eq!(last, format!("checksum {}", size.checksum), "{}", w.id);
            }
            // Start-up cases do the same at both sizes; the others must notice the argument.
            let is_same = w.small.checksum == w.standard.checksum;
            assert_eq!(w.startup, is_same, "{}", w.id);
            let source = std::fs::read_to_string(suite.dir().join(&w.source));
            let source = source.unwrap_or_else(|e| panic!("{}: {e}", w.source));
            let is_told = ["//", ";;", "\"\"\""]
                .iter()
                .any(|mark| source.starts_with(mark));
            assert!(is_told, "{} opens with a comment", w.source);
            assert_eq!(w.licence, "Apache-2.0", "{} is our own work", w.id);
            assert!(!w.description.is_empty(), "{} is described", w.id);
        }
    }
}

#[test]
fn the_numeric_suite_has_the_kernels_of_papers() {
    let suite = corpus().load_suite("polybench").expect("it loads");
    assert!(suite.workloads.len() >= 20);
    assert_eq!(suite.suite, Some("polybench"));
    for w in &suite.workloads {
        assert!(w.native.is_some(), "{} has a native twin", w.id);
    }
}

#[test]
fn the_start_up_suite_has_small_and_large_modules_of_several_languages() {
    let corpus = corpus();
    let suite = corpus.load_suite("start-up").expect("it loads");
    assert!(suite.workloads.iter().all(|w| w.startup));
    for language in ["c", "rust", "wat"] {
        assert!(
            suite.workloads.iter().any(|w| w.language == language),
            "{language}"
        );
    }
    let sizes = || suite.workloads.iter().map(|w| w.bytes);
    assert!(sizes().any(|bytes| bytes < 2_000) && sizes().any(|bytes| bytes > 1_000_000));
    // Those of the corpus belong to it, and are found from its folder.
    let nop = suite
        .get("nop")
        .expect("it includes the corpus' start-up cases");
    let of_corpus = corpus
        .get("nop")
        .expect("it is in the corpus")
        .read_verified(&corpus);
    assert_eq!(nop.read_verified(&suite).ok(), of_corpus.ok());
}
