//! Whether two runs of the same comparison say the same.
//!
//! A row is a tier, a peer, a workload and a metric that both runs have. It agrees when the two
//! intervals overlap; it agrees within the noise floor when they do after each is widened by its
//! own run's floor, below which the method calls nothing a difference. The headlines, means over the
//! same workloads, agree in the same way. Nine rows in ten and all headlines make two runs agree.
//! A metric whose A/A control failed in either run counts for nothing: its floor is so wide that
//! everything would agree.
//!
//! Runs are taken as [`Record`]s: what a published run claims is all that is asked of it.

use crate::history::series::Standing;
use crate::history::{Family, LogGap, Record, Setting, covers_the_same};
use crate::schema::Metric;
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
    /// Rows in both runs, per metric whose control failed in one of them.
    pub uncontrolled: BTreeMap<Metric, usize>,
    /// The rows that do not agree, in words.
    pub differing: Vec<String>,
    /// The first run's headlines that the second has too, in words, and whether it agrees.
    pub headlines: Vec<(String, bool)>,
    /// What is not the same of how the two were measured, in words.
    pub unlike: Vec<String>,
}

impl Agreement {
    /// Compares the rows that both runs have.
    #[must_use]
    pub fn of(first: &Record, second: &Record) -> Agreement {
        let mut agreement = Agreement {
            unlike: unlike(first, second),
            ..Agreement::default()
        };
        for family in &first.families {
            let Some(other) = second.family(family.key()) else {
                continue;
            };
            let slack = first.floor(family.metric) + second.floor(family.metric);
            let is_controlled = is_controlled(family.metric, first, second);
            let theirs: BTreeMap<&str, LogGap> = second.rows(other).collect();
            for (workload, a) in first.rows(family) {
                let Some(&b) = theirs.get(workload) else {
                    continue;
                };
                if !is_controlled {
                    *agreement.uncontrolled.entry(family.metric).or_default() += 1;
                    continue;
                }
                let counts = agreement.metrics.entry(family.metric).or_default();
                counts[0] += 1;
                counts[1] += usize::from(a.overlaps(b, 0.0));
                if a.overlaps(b, slack) {
                    counts[2] += 1;
                } else {
                    agreement.differing.push(format!(
                        "{} against {}, {workload}, {}: {} and {}",
                        family.tier,
                        family.peer,
                        family.metric.title(),
                        shown(a),
                        shown(b)
                    ));
                }
            }
        }
        for family in first.headline() {
            let other = second.family(family.key());
            let is_same = |other: &&Family| {
                covers_the_same((first, family), (second, other))
                    && is_controlled(family.metric, first, second)
            };
            if let Some(other) = other.filter(is_same) {
                let slack = first.floor(family.metric) + second.floor(family.metric);
                let words = format!(
                    "zwasm ({}) takes {}× {}'s {}{} there, {}×{} here",
                    family.tier,
                    text::ratio(family.mean.ratios().value),
                    family.peer,
                    family.metric.noun(),
                    reach(family.mean),
                    text::ratio(other.mean.ratios().value),
                    reach(other.mean)
                );
                let agrees = family.mean.overlaps(other.mean, slack);
                agreement.headlines.push((words, agrees));
            }
        }
        agreement
    }

    /// Whether the runs have no row in common at all.
    #[must_use]
    pub fn is_of_nothing(&self) -> bool {
        self.metrics.is_empty() && self.uncontrolled.is_empty()
    }

    /// Rows in both runs, and those that agree within the noise floor.
    #[must_use]
    pub fn totals(&self) -> [usize; 3] {
        self.metrics
            .values()
            .fold([0; 3], |t, m| std::array::from_fn(|i| t[i] + m[i]))
    }

    /// Whether there are rows, enough of them agree within the noise floor, and so do all headlines.
    #[must_use]
    pub fn passes(&self) -> bool {
        let [rows, _, agreeing] = self.totals();
        let enough = rows > 0 && agreeing as f64 >= AGREEMENT_MIN * rows as f64;
        enough && self.headlines.iter().all(|(_, agrees)| *agrees)
    }

    /// A table for a terminal, with the rows that differ; the answer comes last.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let line = |out: &mut String, name: &str, [rows, strictly, agreeing]: [usize; 3]| {
            let _ = writeln!(
                out,
                "{name:<14} {rows:>5} rows  {strictly:>5} overlap ({:.1} %)  {agreeing:>5} within \
                 the noise floor ({:.1} %)",
                percent(strictly, rows),
                percent(agreeing, rows)
            );
        };
        for row in &self.differing {
            let _ = writeln!(out, "differs: {row}");
        }
        for (metric, &counts) in &self.metrics {
            line(&mut out, metric.title(), counts);
        }
        line(&mut out, "all", self.totals());
        for (metric, rows) in &self.uncontrolled {
            let _ = writeln!(
                out,
                "note: {rows} rows of {} are not counted: its A/A control failed in one of the runs",
                metric.title()
            );
        }
        for what in &self.unlike {
            let _ = writeln!(out, "note: {what}");
        }
        for (words, agrees) in &self.headlines {
            let word = if *agrees { "agrees" } else { "differs" };
            let _ = writeln!(out, "headline {word}: {words}");
        }
        if self.headlines.is_empty() {
            let _ = writeln!(
                out,
                "note: the headline is not compared: not the same workloads, or its control failed"
            );
        }
        let [rows, _, agreeing] = self.totals();
        let _ = writeln!(
            out,
            "the runs {}: {agreeing} of {rows} rows agree within the noise floor ({:.1} %; {:.0} % needed), \
             {} of {} headlines",
            if self.passes() {
                "agree"
            } else {
                "do not agree"
            },
            percent(agreeing, rows),
            100.0 * AGREEMENT_MIN,
            self.headlines.iter().filter(|h| h.1).count(),
            self.headlines.len()
        );
        out
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// A gap as a ratio with its interval.
fn shown(gap: LogGap) -> String {
    format!("{}×{}", text::ratio(gap.ratios().value), reach(gap))
}

/// The interval of a gap in words, which a mean of rows alone does not have.
fn reach(gap: LogGap) -> String {
    if gap.lo == gap.hi && gap.lo.is_some() {
        return String::new();
    }
    let ratios = gap.ratios();
    let lo = gap.lo.map(|_| ratios.lo);
    let hi = gap.hi.map(|_| ratios.hi);
    format!(" {}", text::interval(lo, hi))
}

/// Whether no A/A control of a metric is known to have failed.
fn is_controlled(metric: Metric, first: &Record, second: &Record) -> bool {
    let failed = |run| Standing::of(run, metric) == Standing::Failed;
    !failed(first) && !failed(second)
}

/// What differs between the settings, of what both runs tell.
fn unlike(first: &Record, second: &Record) -> Vec<String> {
    let (a, b) = (&first.setting, &second.setting);
    let corpora = [a, b].map(Setting::corpus_in_short);
    let facts = [
        ("processor", &a.cpu, &b.cpu),
        ("profile", &a.profile, &b.profile),
        ("corpus", &corpora[0], &corpora[1]),
    ];
    let versions = first
        .peers
        .iter()
        .filter_map(|(peer, version)| Some((peer.as_str(), version, second.peers.get(peer)?)));
    facts
        .into_iter()
        .chain(versions)
        .filter(|(_, a, b)| !a.is_empty() && !b.is_empty() && a != b)
        .map(|(what, a, b)| format!("another {what}: {a} there, {b} here"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Control;

    fn record(fib: &str, sieve: &str) -> Record {
        let header = "peer,tier,workload,metric,ratio,lo,hi";
        let row = |workload, figures| format!("wasmtime,opt,{workload},steady,{figures}");
        let lines = [header.to_owned(), row("fib", fib), row("sieve", sieve)];
        Record::parse_table(&lines.join("\n"), "t").unwrap()
    }

    #[test]
    fn rows_agree_strictly_or_within_both_floors() {
        let first = record("0.85,0.8,0.9", "2,1.9,2.1");
        let of = |fib, sieve| Agreement::of(&first, &record(fib, sieve));
        assert!(of("0.86,0.8,0.9", "2.02,2,2.1").passes());
        assert_eq!(of("0.95,0.9,1", "2.02,2,2.1").totals(), [2, 2, 2]);
        // Two floors of 2 % reach from 0.9 to 0.936.
        assert_eq!(of("0.95,0.93,1", "1.93,1.9,2.1").totals(), [2, 1, 2]);
        let half = of("0.95,0.94,1", "1.8,1.8,2");
        assert_eq!(half.totals(), [2, 1, 1]);
        assert!(!half.passes() && half.headlines[0].1, "{half:?}");
        // An end that is not known reaches everywhere.
        assert_eq!(of("9,,", "0.19,0.1,3").totals(), [2, 2, 2]);
    }

    #[test]
    fn headlines_are_means_over_the_same_workloads() {
        let first = record("0.85,0.8,0.9", "2,1.9,2.1");
        // Every row agrees by wide intervals, the mean does not.
        let wide = Agreement::of(&first, &record("1,0.8,2", "2.2,1.9,3"));
        assert_eq!(wide.totals(), [2, 2, 2]);
        assert!(!wide.passes() && !wide.headlines[0].1);
        let text = wide.text();
        assert!(
            text.contains(
                "headline differs: zwasm (opt) takes 1.30× wasmtime's time there, 1.48× here"
            ),
            "{text}"
        );
        assert!(
            text.contains("the runs do not agree: 2 of 2 rows"),
            "{text}"
        );
        // Of fewer workloads there is no headline to compare.
        let mut fewer = record("0.85,0.8,0.9", "2,1.9,2.1");
        fewer.families[0].rows[1] = None;
        let fewer = Agreement::of(&first, &fewer);
        assert!(fewer.headlines.is_empty() && fewer.passes());
    }

    #[test]
    fn a_metric_whose_control_failed_counts_for_nothing() {
        let first = record("1,1,1", "1,1,1");
        let mut second = record("9,9,9", "9,9,9");
        second.controls.push(Control {
            metric: Metric::Steady,
            floor: 3.0,
            failed: true,
        });
        let agreement = Agreement::of(&first, &second);
        assert_eq!(agreement.totals(), [0; 3]);
        assert!(!agreement.is_of_nothing() && !agreement.passes());
        assert!(agreement.headlines.is_empty());
        let text = agreement.text();
        assert!(
            text.contains("note: 2 rows of steady iteration are not counted"),
            "{text}"
        );
        assert!(Agreement::of(&first, &Record::default()).is_of_nothing());
    }

    #[test]
    fn what_is_unlike_is_said() {
        let mut first = record("1,1,1", "1,1,1");
        let second = Record {
            setting: crate::history::Setting {
                cpu: "B".to_owned(),
                ..Default::default()
            },
            ..first.clone()
        };
        // A table names no processor.
        assert!(Agreement::of(&first, &second).unlike.is_empty());
        first.setting.cpu = "A".to_owned();
        let unlike = Agreement::of(&first, &second).unlike;
        assert_eq!(unlike, ["another processor: A there, B here"]);
    }
}
