//! The committed corpus keeps its promises: manifest, files, checksums, balance. Outputs are checked
//! when the corpus is built (by a reference engine) and again by the tests of our own engine.

use std::collections::BTreeMap;
use std::path::Path;

use zwasm_workloads::{CATEGORIES, Corpus, Error};

fn corpus() -> Corpus {
    Corpus::load_from(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the committed corpus loads")
}

#[test]
fn every_module_is_the_one_the_manifest_describes() {
    let corpus = corpus();
    for workload in &corpus.workloads {
        let bytes = workload
            .read_verified(&corpus)
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(
            bytes.starts_with(b"\0asm\x01\0\0\0"),
            "{} is a wasm module",
            workload.id
        );
    }
    for example in &corpus.examples {
        example
            .read_verified(&corpus)
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(
            example.data_path(&corpus).is_dir(),
            "{} has its data",
            example.id
        );
    }
}

#[test]
fn every_source_is_there_and_says_what_it_is() {
    let corpus = corpus();
    for w in &corpus.workloads {
        let natives = w.native.iter().map(|n| &n.source);
        for source in natives.chain([&w.source]) {
            let text = std::fs::read_to_string(corpus.dir().join(source))
                .unwrap_or_else(|e| panic!("{source}: {e}"));
            let opens_with_story = ["//", ";;", "\"\"\""]
                .iter()
                .any(|mark| text.starts_with(mark));
            assert!(opens_with_story, "{source} opens with a comment");
        }
        assert_eq!(w.licence, "Apache-2.0", "{} is our own work", w.id);
        assert!(!w.description.is_empty(), "{} is described", w.id);
    }
}

#[test]
fn no_file_is_left_over() {
    let corpus = corpus();
    let known: Vec<&str> = corpus
        .workloads
        .iter()
        .map(|w| w.module.as_str())
        .chain(corpus.examples.iter().map(|e| e.module.as_str()))
        .collect();
    for file in
        std::fs::read_dir(corpus.dir().join("wasm")).expect("the modules' directory can be read")
    {
        let name = format!(
            "wasm/{}",
            file.expect("an entry").file_name().to_string_lossy()
        );
        assert!(
            known.contains(&name.as_str()),
            "{name} is in no manifest entry"
        );
    }
}

#[test]
fn sizes_follow_the_protocol() {
    for w in &corpus().workloads {
        assert!(w.standard.args.is_empty(), "{}", w.id);
        assert_eq!(w.small.args, ["small"], "{}", w.id);
        for size in [&w.small, &w.standard] {
            let last = size.expected.lines().last().unwrap_or_default();
            assert_eq!(
                last,
                format!("checksum {}", size.checksum),
                "{}: last line of the output",
                w.id
            );
        }
        // Start-up cases do the same at both sizes; the others must notice the argument.
        assert_eq!(
            w.startup,
            w.small.checksum == w.standard.checksum,
            "{}",
            w.id
        );
        assert_eq!(w.startup, w.category == "startup", "{}", w.id);
    }
}

#[test]
fn the_corpus_is_balanced() {
    let corpus = corpus();
    let mut per_category: BTreeMap<&str, usize> = CATEGORIES.iter().map(|c| (*c, 0)).collect();
    let mut per_language: BTreeMap<&str, usize> = BTreeMap::new();
    let mut realistic = 0;
    for w in &corpus.workloads {
        *per_category
            .get_mut(w.category.as_str())
            .expect("loading checks categories") += 1;
        *per_language.entry(&w.language).or_default() += 1;
        let text =
            std::fs::read_to_string(corpus.dir().join(&w.source)).expect("the source can be read");
        realistic += usize::from(text.lines().count() >= 200);
    }
    let total = corpus.workloads.len();
    assert!(total >= 36, "{total} workloads");
    assert!(
        3 * realistic >= total,
        "{realistic} of {total} workloads have 200 lines or more"
    );
    for (category, count) in &per_category {
        assert!(
            (1..=total / 6).contains(count),
            "category {category} has {count} of {total} workloads"
        );
    }
    for language in ["c", "rust", "wat"] {
        assert!(
            per_language[language] >= 8,
            "{language} has {} workloads",
            per_language[language]
        );
    }
    let has = |feature: &str| {
        corpus
            .workloads
            .iter()
            .any(|w| w.features.iter().any(|f| f == feature))
    };
    for feature in [
        "simd",
        "relaxed-simd",
        "tail-call",
        "memory64",
        "multi-memory",
        "bulk-memory",
        "exceptions",
    ] {
        assert!(has(feature), "a workload needs {feature}");
    }
    assert!(
        corpus
            .workloads
            .iter()
            .any(|w| w.language == "c" && w.features.is_empty()),
        "a compiled workload runs on the first version of WebAssembly"
    );
}

#[test]
fn the_checksum_covers_ids_and_modules() {
    let corpus = corpus();
    let before = corpus.checksum();
    assert_eq!(before.len(), 64);

    let mut reordered = corpus.clone();
    reordered.workloads.reverse();
    assert_eq!(reordered.checksum(), before, "order does not matter");

    let mut changed = corpus.clone();
    changed.workloads[0].sha256 = "0".repeat(64);
    assert_ne!(changed.checksum(), before);

    let mut fewer = corpus;
    fewer.workloads.pop();
    assert_ne!(fewer.checksum(), before);
}

#[test]
fn a_wrong_module_is_named_with_both_hashes() {
    let corpus = corpus();
    let mut workload = corpus.workloads[0].clone();
    let actual = std::mem::replace(&mut workload.sha256, "0".repeat(64));
    let error = workload
        .read_verified(&corpus)
        .expect_err("the hash does not match");
    assert_eq!(
        error.to_string(),
        format!(
            "workload {}: module has sha256 {actual}, the manifest says {}",
            workload.id,
            "0".repeat(64)
        )
    );

    workload.module = "wasm/absent.wasm".to_owned();
    assert!(matches!(
        workload.read_verified(&corpus),
        Err(Error::Read { .. })
    ));
}

#[test]
fn a_missing_corpus_is_one_clear_line() {
    let error = Corpus::load_from(Path::new("no/such/corpus")).expect_err("there is none");
    let text = error.to_string();
    assert!(
        text.starts_with("cannot read no/such/corpus/manifest.toml"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}
