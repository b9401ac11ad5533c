//! Which workloads a command line means.

use crate::fail::Fail;
use anyhow::Result;
use std::collections::BTreeSet;
use zwasm_workloads::{Corpus, SUITES, Workload};

/// Twelve workloads that stand for all of them in an answer of two minutes: those whose means and spreads of
/// ratios (steady iteration, first result, total time, memory; tiers against peers) are nearest to the whole
/// corpus', by a search over measured runs, most categories among equals.
const CORE: [&str; 12] = [
    "binary-trees",
    "chacha20-poly1305",
    "fib",
    "lz-huffman",
    "memory64-stride",
    "path-tracer",
    "pointer-chase",
    "red-black",
    "relaxed-dot",
    "rigid-bodies",
    "riscv",
    "simd-float",
];

/// The suite of its own that this name, or this selection in words, is about.
pub(crate) fn own_suite(selection: &str) -> Option<&'static str> {
    let name = match selection.split(':').next() {
        Some("startup") => Some("start-up"),
        name => name,
    };
    SUITES.into_iter().find(|suite| Some(*suite) == name)
}

/// The workloads of a suite or of patterns, in manifest order, and the selection in words. Of a suite of its own,
/// which the corpus then is, patterns choose some.
///
/// # Errors
/// An unknown suite, or a pattern that matches nothing.
pub(crate) fn select<'c>(
    corpus: &'c Corpus,
    suite: Option<&str>,
    patterns: &[String],
) -> Result<(Vec<&'c Workload>, String)> {
    if !patterns.is_empty() {
        if suite.is_some() && corpus.suite.is_none() {
            return Err(Fail::usage("name a suite or workloads, not both"));
        }
        let ids: Vec<&str> = corpus.workloads.iter().map(|w| w.id.as_str()).collect();
        if let Some(pattern) = unmatched(patterns, &ids) {
            return Err(Fail::usage(format!("no workload matches `{pattern}`")));
        }
        let chosen = corpus
            .workloads
            .iter()
            .filter(|w| patterns.iter().any(|p| matches(p, &w.id)))
            .collect();
        let patterns = patterns.join(",");
        let selection = match corpus.suite {
            Some(suite) => format!("{suite}: {patterns}"),
            None => patterns,
        };
        return Ok((chosen, selection));
    }
    if let Some(suite) = corpus.suite {
        return Ok((corpus.workloads.iter().collect(), suite.to_owned()));
    }
    let suite = suite.unwrap_or("all");
    let mut seen = BTreeSet::new();
    let chosen: Vec<&Workload> = corpus
        .workloads
        .iter()
        .filter(|w| match suite {
            "all" => true,
            "smoke" => seen.insert(w.category.clone()),
            "core" => CORE.contains(&w.id.as_str()),
            category => w.category == category,
        })
        .collect();
    if chosen.is_empty() {
        let categories: BTreeSet<&str> = corpus
            .workloads
            .iter()
            .map(|w| w.category.as_str())
            .collect();
        let categories: Vec<&str> = categories.into_iter().collect();
        return Err(Fail::usage(format!(
            "unknown suite `{suite}`; known: all, core, smoke, real, {}, {}",
            SUITES.join(", "),
            categories.join(", ")
        )));
    }
    Ok((chosen, suite.to_owned()))
}

/// The first pattern that matches no name.
pub(crate) fn unmatched<'p>(patterns: &'p [String], ids: &[&str]) -> Option<&'p String> {
    let mut patterns = patterns.iter();
    patterns.find(|p| !ids.iter().any(|id| matches(p, id)))
}

/// Whether a name matches a pattern in which `*` is any text and `?` any character.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Greedy with one point to come back to: the last `*`.
    let (mut p, mut n, mut back) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((star, at)) => {
                    back = Some((star, at + 1));
                    p = star + 1;
                    n = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::{CORE, matches, own_suite, select};
    use zwasm_workloads::Corpus;

    #[test]
    fn the_core_is_of_the_corpus() {
        let corpus = Corpus::load().unwrap();
        let (chosen, _) = select(&corpus, Some("core"), &[]).unwrap();
        assert_eq!(chosen.len(), CORE.len());
    }

    #[test]
    fn a_suite_of_its_own_is_apart() {
        let corpus = Corpus::load().unwrap();
        assert!(select(&corpus, None, &["gemm".to_owned()]).is_err());
        let suite = corpus.load_suite("polybench").unwrap();
        let (all, selection) = select(&suite, Some("polybench"), &[]).unwrap();
        assert!(all.len() >= 20);
        assert_eq!(own_suite(&selection), Some("polybench"));
        let (some, selection) = select(&suite, Some("polybench"), &["ge*".to_owned()]).unwrap();
        assert!(some.len() < all.len());
        assert_eq!(selection, "polybench: ge*");
        assert_eq!(own_suite(&selection), Some("polybench"));
        assert_eq!(own_suite("startup"), Some("start-up"));
        assert_eq!(own_suite("all"), None);
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("sha256", "sha256", true),
            ("sha*", "sha256", true),
            ("*25*", "sha256", true),
            ("sha25?", "sha256", true),
            ("sha", "sha256", false),
            ("*x", "sha256", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
