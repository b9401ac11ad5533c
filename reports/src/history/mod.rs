//! The history: one small file per recorded run, in git.
//!
//! Files instead of one growing list, so that two branches that both record do not conflict. A
//! record holds what a plot over commits needs — every row and mean with its interval, the control of
//! each metric, and enough about machine, corpus and peers to tell which records may be compared — and
//! no samples. `format.rs` is the file, [`series`] says what is joined to a line and where it has
//! steps, `table.rs` reads the rows of a CSV as a record that knows nothing of its machine.
//!
//! A gap is kept as a natural logarithm in ten-thousandths: finer than any interval, and four digits.

mod format;
pub mod series;
mod table;

use crate::schema::{Commit, Geomean, Metric, Results, ResultsError, leading_tier};
use crate::stats::{Estimate, FLOOR_MIN};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One recorded run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Start of the run, seconds since 1970 (UTC).
    pub unix_s: u64,
    /// Commit of zwasm.
    pub commit: Commit,
    /// The commit's title and time, where they are known.
    pub commit_info: CommitInfo,
    /// What changed, in one line, in the words of who recorded it.
    pub message: String,
    /// Where and how it was measured.
    pub setting: Setting,
    /// What each peer says of its version; empty where nobody kept it.
    pub peers: BTreeMap<String, String>,
    /// The A/A control of each metric that is known to have had one.
    pub controls: Vec<Control>,
    /// The workloads that rows are in the order of.
    pub workloads: Vec<String>,
    /// One per metric, tier and peer. The last field, because its parts are lines of the file.
    pub families: Vec<Family>,
}

/// What git says of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    /// The first line of its message, or empty.
    pub title: String,
    /// When it was committed, seconds since 1970 (UTC); 0 where nobody knows.
    pub unix_s: u64,
}

/// What must be the same of two runs whose figures are put on one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Setting {
    /// CPU model.
    pub cpu: String,
    /// Instruction set.
    pub isa: String,
    /// Cores; 0 where nobody kept them.
    pub cores: u32,
    /// Profile name.
    pub profile: String,
    /// Corpus checksum and selection.
    pub corpus: String,
}

impl Setting {
    /// The beginning of the corpus' checksum, which tells corpora apart, and what was selected.
    #[must_use]
    pub fn corpus_in_short(&self) -> String {
        let (sum, selection) = self.corpus.split_once(' ').unwrap_or_default();
        let sum: String = sum.chars().take(8).collect();
        format!("{sum} {selection}").trim().to_owned()
    }
}

/// The A/A control of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Which metric.
    pub metric: Metric,
    /// Noise floor, as a log gap.
    pub floor: f64,
    /// Whether it failed, so that nothing of this metric can be relied on.
    pub failed: bool,
}

/// A gap: ln(zwasm ÷ peer), in ten-thousandths, with its interval. In a file three numbers: the gap, and how
/// far the interval reaches below and above it (null where it has no end).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "(i32, Option<i32>, Option<i32>)",
    into = "(i32, Option<i32>, Option<i32>)"
)]
pub struct LogGap {
    /// The gap.
    pub value: i32,
    /// Lower end of the interval, unless it is unbounded.
    pub lo: Option<i32>,
    /// Upper end of the interval, unless it is unbounded.
    pub hi: Option<i32>,
}

/// What a [`LogGap`] counts, per unit of a natural logarithm.
const PER_UNIT: f64 = 1e4;

/// No gap is further from 0: a ratio of half a billion. What a file says beyond is taken for this, so that
/// every ratio is a number that can be drawn.
const GAP_MAX: i32 = 200_000;

fn within(gap: i32) -> i32 {
    gap.clamp(-GAP_MAX, GAP_MAX)
}

impl From<(i32, Option<i32>, Option<i32>)> for LogGap {
    fn from((value, below, above): (i32, Option<i32>, Option<i32>)) -> LogGap {
        LogGap {
            value: within(value),
            lo: below.map(|below| within(value.saturating_sub(below))),
            hi: above.map(|above| within(value.saturating_add(above))),
        }
    }
}

impl From<LogGap> for (i32, Option<i32>, Option<i32>) {
    fn from(gap: LogGap) -> Self {
        (
            gap.value,
            gap.lo.map(|lo| gap.value.saturating_sub(lo)),
            gap.hi.map(|hi| hi.saturating_sub(gap.value)),
        )
    }
}

impl LogGap {
    /// Of a ratio with its interval.
    #[must_use]
    pub fn of(ratio: f64, lo: Option<f64>, hi: Option<f64>) -> LogGap {
        // A cast saturates, and takes what is no number for 0.
        let log = |ratio: f64| within((ratio.ln() * PER_UNIT).round() as i32);
        LogGap {
            value: log(ratio),
            lo: lo.map(log),
            hi: hi.map(log),
        }
    }

    /// As ratios; an unbounded end is 0 or infinite.
    #[must_use]
    pub fn ratios(self) -> Estimate {
        let ratio = |log: i32| (f64::from(log) / PER_UNIT).exp();
        Estimate {
            value: ratio(self.value),
            lo: self.lo.map_or(0.0, ratio),
            hi: self.hi.map_or(f64::INFINITY, ratio),
        }
    }

    /// Whether two intervals overlap when they are `slack` (of a natural logarithm) apart at most. An
    /// unbounded end reaches everywhere.
    #[must_use]
    pub fn overlaps(self, other: LogGap, slack: f64) -> bool {
        let below = |lo: Option<i32>, hi: Option<i32>| {
            lo.zip(hi)
                .is_none_or(|(lo, hi)| f64::from(lo) <= f64::from(hi) + slack * PER_UNIT)
        };
        below(self.lo, other.hi) && below(other.lo, self.hi)
    }

    /// By how much it is above another, as a natural logarithm.
    #[must_use]
    pub fn above(self, other: LogGap) -> f64 {
        (f64::from(self.value) - f64::from(other.value)) / PER_UNIT
    }
}

/// All that one tier takes beside one peer by one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// What is compared.
    pub metric: Metric,
    /// Tier of zwasm.
    pub tier: String,
    /// Peer id.
    pub peer: String,
    /// The geometric mean.
    pub mean: LogGap,
    /// Workloads that both ran.
    pub covered: usize,
    /// Workloads selected for which the metric means something.
    pub total: usize,
    /// A row per workload of the record, or none at all in records of version 1.
    pub rows: Vec<Option<LogGap>>,
}

impl Family {
    /// What is looked for in another record.
    #[must_use]
    pub fn key(&self) -> (Metric, &str, &str) {
        (self.metric, &self.tier, &self.peer)
    }
}

impl Record {
    /// The record of a run.
    #[must_use]
    pub fn of(results: &Results, commit_info: CommitInfo, message: &str) -> Record {
        let machine = &results.machine;
        Record {
            unix_s: results.started_unix_s,
            commit: results.commit.clone(),
            commit_info,
            message: message.to_owned(),
            setting: Setting {
                cpu: machine.cpu.clone(),
                isa: machine.isa.clone(),
                cores: machine.cores,
                profile: results.profile.name.clone(),
                corpus: format!("{} {}", results.corpus.checksum, results.corpus.selection),
            },
            peers: results
                .engines_of(crate::schema::EngineKind::Peer)
                .map(|e| (e.id.clone(), e.version.clone()))
                .collect(),
            controls: results
                .floors
                .iter()
                .map(|f| Control {
                    metric: f.metric,
                    floor: f.floor,
                    failed: f.failed,
                })
                .collect(),
            workloads: results.workloads.iter().map(|w| w.id.clone()).collect(),
            families: results
                .geomeans
                .iter()
                .map(|mean| family(results, mean))
                .collect(),
        }
    }

    /// What orders the records of a history: when the commit was made, else when it was measured.
    fn order(&self) -> (u64, u64, &str) {
        let committed = match self.commit_info.unix_s {
            0 => self.unix_s,
            known => known,
        };
        (committed, self.unix_s, &self.commit.hash)
    }

    /// What is shown as the change: the commit's title, else the words of who recorded it.
    #[must_use]
    pub fn change(&self) -> &str {
        if self.commit_info.title.is_empty() {
            &self.message
        } else {
            &self.commit_info.title
        }
    }

    /// Whether two are of one run.
    #[must_use]
    pub fn is_of_run(&self, results: &Results) -> bool {
        self.unix_s == results.started_unix_s && self.commit == results.commit
    }

    /// The control of a metric, where it is known.
    #[must_use]
    pub fn control(&self, metric: Metric) -> Option<&Control> {
        self.controls.iter().find(|c| c.metric == metric)
    }

    /// The noise floor of a metric, or the least there is.
    #[must_use]
    pub fn floor(&self, metric: Metric) -> f64 {
        self.control(metric).map_or(FLOOR_MIN, |c| c.floor)
    }

    /// The same family of this record.
    #[must_use]
    pub fn family(&self, key: (Metric, &str, &str)) -> Option<&Family> {
        self.families.iter().find(|f| f.key() == key)
    }

    /// The rows of a family with their workloads.
    pub fn rows<'r>(&'r self, family: &'r Family) -> impl Iterator<Item = (&'r str, LogGap)> {
        let rows = self.workloads.iter().zip(&family.rows);
        rows.filter_map(|(workload, row)| Some((workload.as_str(), (*row)?)))
    }

    /// The families that the run is judged by: one metric of one tier, beside each peer.
    pub fn headline(&self) -> impl Iterator<Item = &Family> {
        let has = |metric| self.families.iter().any(move |f| f.metric == metric);
        let metric = [Metric::Steady, Metric::FirstResult]
            .into_iter()
            .find(|&m| has(m));
        let of_metric = move |f: &&Family| Some(f.metric) == metric;
        let tiers = self.families.iter().filter(of_metric);
        let tier = leading_tier(tiers.map(|f| f.tier.as_str()));
        let families = self.families.iter().filter(of_metric);
        families.filter(move |f| Some(f.tier.as_str()) == tier)
    }
}

fn family(results: &Results, mean: &Geomean) -> Family {
    let row = |workload: &str| {
        let gap = results.gap(workload, &mean.tier, &mean.peer, mean.metric)?;
        Some(LogGap::of(gap.ratio, gap.lo, gap.hi))
    };
    Family {
        metric: mean.metric,
        tier: mean.tier.clone(),
        peer: mean.peer.clone(),
        mean: LogGap::of(mean.ratio, Some(mean.lo), Some(mean.hi)),
        covered: mean.covered,
        total: mean.total,
        rows: results.workloads.iter().map(|w| row(&w.id)).collect(),
    }
}

/// Whether two families are over the same workloads, so that their means are of the same thing. Where
/// rows are not known, as many of the same corpus must do.
#[must_use]
pub fn covers_the_same(a: (&Record, &Family), b: (&Record, &Family)) -> bool {
    let covered = |(record, family): (&'_ Record, &'_ Family)| -> BTreeSet<String> {
        record.rows(family).map(|(w, _)| w.to_owned()).collect()
    };
    let are_known = !a.1.rows.is_empty() && !b.1.rows.is_empty();
    if are_known {
        covered(a) == covered(b)
    } else {
        a.0.setting.corpus == b.0.setting.corpus
            && (a.1.covered, a.1.total) == (b.1.covered, b.1.total)
    }
}

/// The records of a folder in the order of their commits. Files that are not records are left
/// out: the history is for looking at, and one bad file must not take the page away.
#[must_use]
pub fn load(dir: &Path) -> Vec<Record> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let of_entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        let is_record = name.starts_with("run-") && name.ends_with(".json");
        is_record.then(|| Record::load(&path).ok()).flatten()
    };
    let mut records: Vec<Record> = entries.filter_map(of_entry).collect();
    sort(&mut records);
    records
}

/// Puts records in the order of their commits.
pub fn sort(records: &mut [Record]) {
    records.sort_by(|a, b| a.order().cmp(&b.order()));
}

/// Reads a run to be compared with, from any file that keeps one: results, a record, or a table of rows.
///
/// # Errors
/// [`ResultsError`]: unreadable, or none of these.
pub fn load_any(path: &Path) -> Result<Record, ResultsError> {
    let is_table = path.extension().is_some_and(|e| e == "csv");
    if is_table {
        return Record::load_table(path);
    }
    let name = path.display().to_string();
    let text = crate::schema::read_text(path)?;
    if format::is_record(&text) {
        return Record::parse(&text, &name);
    }
    let mut results = Results::parse(&text, &name)?;
    crate::analysis::analyse(&mut results);
    Ok(Record::of(&results, CommitInfo::default(), ""))
}
