//! What of a history is joined to a line, and where that line has a step.
//!
//! Two runs are *alike* for a metric and a peer when processor, cores, profile, corpus and the peer's
//! version are the same. Only alike runs whose A/A control of the metric passed are joined. A run
//! whose control failed, or is not known, stands by itself.
//!
//! A *step* lies between neighbours on a line when their intervals do not overlap and they differ by more than the
//! noise floor of either run. Of means also the workloads must be the same. So a step is what one run
//! found to be different beyond what it calls noise; many small ones in the same direction are none,
//! and comparing two distant runs shows them.

use super::{LogGap, Record, Setting, covers_the_same};
use crate::schema::Metric;
use std::collections::{BTreeMap, BTreeSet};

/// How the control of a metric went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// Nobody kept it.
    Unknown,
}

impl Standing {
    /// Of a run's metric.
    #[must_use]
    pub fn of(record: &Record, metric: Metric) -> Standing {
        match record.control(metric) {
            None => Standing::Unknown,
            Some(control) if control.failed => Standing::Failed,
            Some(_) => Standing::Passed,
        }
    }

    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Standing::Passed => "passed",
            Standing::Failed => "failed",
            Standing::Unknown => "not kept",
        }
    }
}

/// The lines of a metric against a peer: places of records in their order, each line in the order of its first record.
#[must_use]
pub fn lines(records: &[Record], metric: Metric, peer: &str) -> Vec<Vec<usize>> {
    let mut lines: Vec<Vec<usize>> = Vec::new();
    let mut of_setting: BTreeMap<(&Setting, Option<&String>), usize> = BTreeMap::new();
    for (place, record) in records.iter().enumerate() {
        let has = |f: &super::Family| f.metric == metric && f.peer == peer;
        if !record.families.iter().any(has) {
            continue;
        }
        if Standing::of(record, metric) != Standing::Passed {
            lines.push(vec![place]);
            continue;
        }
        let line = *of_setting
            .entry((&record.setting, record.peers.get(peer)))
            .or_insert(lines.len());
        match lines.get_mut(line) {
            Some(line) => line.push(place),
            None => lines.push(vec![place]),
        }
    }
    lines
}

/// The metrics and peers that any record has.
#[must_use]
pub fn kinds(records: &[Record]) -> BTreeSet<(Metric, &str)> {
    let families = records.iter().flat_map(|r| &r.families);
    families.map(|f| (f.metric, f.peer.as_str())).collect()
}

/// Whether a record is joined to any other.
#[must_use]
pub fn is_on_a_line(records: &[Record], place: usize) -> bool {
    kinds(records).into_iter().any(|(metric, peer)| {
        let mut lines = lines(records, metric, peer).into_iter();
        lines.any(|line| line.len() > 1 && line.contains(&place))
    })
}

/// A step from one record to the next on a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The place of the record before it.
    pub from: usize,
    /// The place of the record behind it.
    pub to: usize,
    /// The place of the family in the latter.
    pub family: usize,
    /// The place of the workload in the latter, or none for the mean.
    pub workload: Option<usize>,
    /// ln(ratio behind ÷ ratio before).
    pub change: f64,
}

/// Whether two gaps differ by more than their intervals and `floor`, the larger of the runs' noise floors.
#[must_use]
pub fn moved(before: LogGap, after: LogGap, floor: f64) -> bool {
    !before.overlaps(after, 0.0) && after.above(before).abs() > floor
}

/// Every step of a history, by the record behind it.
#[must_use]
pub fn steps(records: &[Record]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (metric, peer) in kinds(records) {
        for line in lines(records, metric, peer) {
            for (family, pair) in neighbours(records, &line, metric, peer) {
                between(records, pair, family, &mut steps);
            }
        }
    }
    steps.sort_by_key(|s| (s.to, s.family, s.workload));
    steps
}

/// The pairs of records that follow each other on a line, per family of the later one: a tier that a run left
/// out does not cut its line.
fn neighbours(
    records: &[Record],
    line: &[usize],
    metric: Metric,
    peer: &str,
) -> Vec<(usize, [usize; 2])> {
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    let mut pairs = Vec::new();
    for &place in line {
        for (at, family) in records[place].families.iter().enumerate() {
            if family.metric == metric
                && family.peer == peer
                && let Some(before) = last.insert(&family.tier, place)
            {
                pairs.push((at, [before, place]));
            }
        }
    }
    pairs
}

fn between(records: &[Record], [from, to]: [usize; 2], place: usize, steps: &mut Vec<Step>) {
    let (before, after) = (&records[from], &records[to]);
    let family = &after.families[place];
    let Some(old) = before.family(family.key()) else {
        return;
    };
    let floor = before.floor(family.metric).max(after.floor(family.metric));
    let mut look = |workload: Option<usize>, a: LogGap, b: LogGap| {
        if moved(a, b, floor) {
            steps.push(Step {
                from,
                to,
                family: place,
                workload,
                change: b.above(a),
            });
        }
    };
    if covers_the_same((before, old), (after, family)) {
        look(None, old.mean, family.mean);
    }
    let rows: BTreeMap<&str, LogGap> = before.rows(old).collect();
    for (at, row) in family.rows.iter().enumerate() {
        let name = after.workloads.get(at).map(String::as_str);
        let a = name.and_then(|name| rows.get(name));
        if let (Some(&a), Some(b)) = (a, *row) {
            look(Some(at), a, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Control, Family};
    use super::*;

    /// A record of one row and its mean, from `lo` to `hi` in ten-thousandths.
    fn record(unix_s: u64, lo: i32, hi: i32) -> Record {
        let gap = LogGap {
            value: i32::midpoint(lo, hi),
            lo: Some(lo),
            hi: Some(hi),
        };
        Record {
            unix_s,
            peers: [("wasmtime".to_owned(), "49".to_owned())].into(),
            controls: vec![Control {
                metric: Metric::Steady,
                floor: 0.02,
                failed: false,
            }],
            workloads: vec!["fib".to_owned()],
            families: vec![Family {
                metric: Metric::Steady,
                tier: "opt".to_owned(),
                peer: "wasmtime".to_owned(),
                mean: gap,
                covered: 1,
                total: 1,
                rows: vec![Some(gap)],
            }],
            ..Record::default()
        }
    }

    fn lines_of(records: &[Record]) -> Vec<Vec<usize>> {
        lines(records, Metric::Steady, "wasmtime")
    }

    #[test]
    fn unlike_and_failed_runs_are_not_joined() {
        let mut records: Vec<Record> = (0..7).map(|i| record(i, 0, 100)).collect();
        records[1].setting.cpu = "another".to_owned();
        records[2].controls[0].failed = true;
        records[3].controls.clear();
        records[4]
            .peers
            .insert("wasmtime".to_owned(), "50".to_owned());
        assert_eq!(
            lines_of(&records),
            [vec![0, 5, 6], vec![1], vec![2], vec![3], vec![4]]
        );
        assert!(is_on_a_line(&records, 6) && !is_on_a_line(&records, 4));
        assert!(!is_on_a_line(&records[..5], 0));
        // Where nobody measured the peer there is no point.
        assert!(lines(&records, Metric::Steady, "node").is_empty());
        for unlike in ["profile", "corpus", "cores"] {
            let mut two = [record(0, 0, 1), record(1, 0, 1)];
            match unlike {
                "profile" => two[1].setting.profile = "quick".to_owned(),
                "corpus" => two[1].setting.corpus = "another".to_owned(),
                _ => two[1].setting.cores = 64,
            }
            assert!(!is_on_a_line(&two, 1), "{unlike}");
        }
    }

    #[test]
    fn a_step_is_beyond_both_intervals_and_both_floors() {
        let step = |lo, hi, floor| {
            let mut after = record(1, lo, hi);
            after.controls[0].floor = floor;
            !steps(&[record(0, 0, 100), after]).is_empty()
        };
        assert!(step(300, 320, 0.02));
        assert!(step(-320, -200, 0.02));
        // The intervals touch; the floor of one of them is larger.
        assert!(!step(100, 900, 0.02));
        assert!(!step(300, 320, 0.03));
        let mut unbounded = record(1, 300, 320);
        unbounded.families[0].mean.lo = None;
        unbounded.families[0].rows[0] = None;
        unbounded.families[0].rows.clear();
        assert!(steps(&[record(0, 0, 100), unbounded]).is_empty());
    }

    #[test]
    fn steps_lie_between_neighbours_on_a_line() {
        // The one between is of another machine, and what failed is left out of the line.
        let mut records = [
            record(0, 0, 100),
            record(1, 5000, 5100),
            record(2, 9000, 9100),
            record(3, 1000, 1100),
        ];
        records[1].setting.cpu = "another".to_owned();
        records[2].controls[0].failed = true;
        let found = steps(&records);
        let places: Vec<_> = found.iter().map(|s| (s.from, s.to, s.workload)).collect();
        assert_eq!(places, [(0, 3, None), (0, 3, Some(0))]);
        assert!((found[0].change - 0.1).abs() < 1e-9);
        // A mean over other workloads is of something else.
        records[3].workloads[0] = "sieve".to_owned();
        assert!(steps(&records).is_empty());
    }

    #[test]
    fn a_tier_that_a_run_left_out_does_not_cut_its_line() {
        let mut records = [
            record(0, 0, 100),
            record(1, 5000, 5100),
            record(2, 1000, 1100),
        ];
        records[1].families[0].tier = "interp".to_owned();
        let found = steps(&records);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|s| (s.from, s.to) == (0, 2)));
    }
}
