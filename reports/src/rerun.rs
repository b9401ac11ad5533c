//! The command that measures a run's headline again and says whether the answer is the same.
//!
//! It is made for a fresh clone: what it needs is in the clone, or lies beside the page that shows it. A run
//! of two builds or of somebody's own module has none: nobody else has those.

use crate::schema::{EngineKind, Results};

/// The rows of a run that nobody recorded, beside its page.
pub const TABLE: &str = "results.csv";

/// The command; `reference` is the file of the run's rows.
#[must_use]
pub fn command(results: &Results, reference: &str) -> Option<String> {
    let ids = |kind| -> Vec<&str> { results.engines_of(kind).map(|e| e.id.as_str()).collect() };
    let (tiers, peers) = (ids(EngineKind::Tier), ids(EngineKind::Peer));
    if results.is_of_builds() || tiers.is_empty() || peers.is_empty() {
        return None;
    }
    let mut words = ["cargo", "run", "--release", "-p", "zwasm-compare", "--"]
        .map(str::to_owned)
        .to_vec();
    let mut option = |name: &str, value: &str| {
        words.push(name.to_owned());
        words.push(quoted(value));
    };
    option("--against", &peers.join(","));
    option("--tiers", &tiers.join(","));
    option("--profile", &results.profile.name);
    for (name, value) in selection(results)? {
        option(name, value);
    }
    option("--agree", reference);
    Some(words.join(" "))
}

/// The options that select the workloads of a run.
fn selection(results: &Results) -> Option<Vec<(&'static str, &str)>> {
    const REAL: &str = "real";
    /// Those that are no category.
    const SUITES: [&str; 4] = ["all", "core", "smoke", "startup"];
    let selection = results.corpus.selection.as_str();
    if results.is_jobs() {
        let patterns = selection.strip_prefix(REAL)?;
        let mut options = vec![("--suite", REAL)];
        if !patterns.is_empty() {
            options.push(("--workloads", patterns.strip_prefix(": ")?));
        }
        return Some(options);
    }
    let is_category = results.workloads.iter().any(|w| w.category == selection);
    let option = if is_category || SUITES.contains(&selection) {
        "--suite"
    } else {
        "--workloads"
    };
    Some(vec![(option, selection)])
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,/:=@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them() {
        assert_eq!(quoted("wasmtime,node"), "wasmtime,node");
        assert_eq!(quoted("sha*"), "'sha*'");
        assert_eq!(quoted("a'; rm b"), "'a'\\''; rm b'");
        assert_eq!(quoted(""), "''");
    }
}
