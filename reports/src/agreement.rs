//! Whether two runs of the same comparison say the same.
//!
//! A row is a tier, a peer, a workload and a metric that both runs have. It agrees when the two
//! intervals overlap; it agrees within the noise floor when they do after each is widened by its
//! own run's floor, below which the method calls nothing a difference.

use crate::schema::{Gap, Metric, Results};
use crate::text;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The share of rows that must agree (90 %).
pub const AGREEMENT_MIN: f64 = 0.90;

/// How many rows of two runs agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Per metric: rows in both runs, rows whose intervals overlap, and those that do within the
    /// noise floor.
    pub metrics: BTreeMap<Metric, [usize; 3]>,
    /// The rows that do not agree, in words.
    pub differing: Vec<String>,
}

impl Agreement {
    /// Compares the rows that both runs have.
    #[must_use]
    pub fn of(first: &Results, second: &Results) -> Agreement {
        let mut agreement = Agreement::default();
        for a in &first.gaps {
            let same = |b: &&Gap| {
                (&b.tier, &b.peer, &b.workload, b.metric)
                    == (&a.tier, &a.peer, &a.workload, a.metric)
            };
            let Some(b) = second.gaps.iter().find(same) else {
                continue;
            };
            let counts = agreement.metrics.entry(a.metric).or_default();
            counts[0] += 1;
            let slack = first.floor(a.metric) + second.floor(a.metric);
            if overlap(a, b, 0.0) {
                counts[1] += 1;
            }
            if overlap(a, b, slack) {
                counts[2] += 1;
            } else {
                agreement.differing.push(format!(
                    "{} against {}, {}, {}: {}× {} and {}× {}",
                    a.tier,
                    a.peer,
                    a.workload,
                    a.metric.title(),
                    text::ratio(a.ratio),
                    text::interval(a.lo, a.hi),
                    text::ratio(b.ratio),
                    text::interval(b.lo, b.hi),
                ));
            }
        }
        agreement
    }

    /// Rows in both runs, and those that agree within the noise floor.
    #[must_use]
    pub fn totals(&self) -> [usize; 3] {
        self.metrics
            .values()
            .fold([0; 3], |t, m| std::array::from_fn(|i| t[i] + m[i]))
    }

    /// Whether there are rows and enough of them agree within the noise floor.
    #[must_use]
    pub fn passes(&self) -> bool {
        let [rows, _, agreeing] = self.totals();
        rows > 0 && agreeing as f64 >= AGREEMENT_MIN * rows as f64
    }

    /// A table for a terminal, with the rows that differ.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let line = |out: &mut String, name: &str, [rows, strictly, agreeing]: [usize; 3]| {
            let share = |n: usize| 100.0 * n as f64 / rows.max(1) as f64;
            let _ = writeln!(
                out,
                "{name:<14} {rows:>5} rows  {strictly:>5} overlap ({:.1} %)  {agreeing:>5} within \
                 the noise floor ({:.1} %)",
                share(strictly),
                share(agreeing)
            );
        };
        for row in &self.differing {
            let _ = writeln!(out, "differs: {row}");
        }
        for (metric, &counts) in &self.metrics {
            line(&mut out, metric.title(), counts);
        }
        line(&mut out, "all", self.totals());
        out
    }
}

/// Whether two intervals overlap when they are `slack` (of a natural logarithm) apart at most. An
/// unbounded end reaches everywhere.
fn overlap(a: &Gap, b: &Gap, slack: f64) -> bool {
    let below = |lo: Option<f64>, hi: Option<f64>| {
        lo.zip(hi).is_none_or(|(lo, hi)| lo.ln() <= hi.ln() + slack)
    };
    below(a.lo, b.hi) && below(b.lo, a.hi)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Verdict;

    fn gap(lo: Option<f64>, hi: Option<f64>) -> Gap {
        Gap {
            peer: "p".to_owned(),
            tier: "t".to_owned(),
            workload: "w".to_owned(),
            category: "c".to_owned(),
            metric: Metric::Steady,
            ratio: 1.0,
            lo,
            hi,
            n: 6,
            verdict: Verdict::Unsure,
            stage: 1,
            blocks_needed: None,
            spread: None,
        }
    }

    #[test]
    fn intervals_overlap_or_lie_within_the_slack() {
        let low = gap(Some(0.8), Some(0.9));
        assert!(overlap(&low, &gap(Some(0.9), Some(1.0)), 0.0));
        assert!(!overlap(&low, &gap(Some(0.91), Some(1.0)), 0.0));
        assert!(!overlap(&gap(Some(0.91), Some(1.0)), &low, 0.0));
        assert!(overlap(&low, &gap(Some(0.91), Some(1.0)), 0.02));
        assert!(overlap(&low, &gap(None, None), 0.0));
        assert!(!overlap(&low, &gap(Some(2.0), None), 0.0));
    }
}
