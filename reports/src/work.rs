//! What a whole process takes for an amount of work, and until it is as fast as it gets.
//!
//! In: the samples of a cell, each with the wall time of a process and all its iterations. What is not
//! iterations is start, compilation and end. Out: what a process takes that does a given number of
//! iterations, and from it ratios of tiers to peers. Amounts are times of the first
//! peer's steady code, so that every engine does the same work for one. Iterations beyond those
//! measured take the steady time, that of steps taken together where there are some; a part of one takes that part of its time.

use crate::analysis::{by_block, gaps_of, pooled};
use crate::duet;
use crate::schema::{CellStatus, EngineKind, Metric, Results, Sample, WorkMean};
use crate::stats;
use serde::{Deserialize, Serialize};

/// How far a process is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// Work that takes the first peer's steady code 10 ms.
    Ms10,
    /// Of 100 ms.
    Ms100,
    /// Of a second.
    S1,
    /// Until an iteration within 5 % of the process's own steady time begins.
    Steady,
}

impl Stretch {
    /// Every stretch, in the order of reports.
    pub const ALL: [Stretch; 4] = [Stretch::Ms10, Stretch::Ms100, Stretch::S1, Stretch::Steady];

    /// As the head of a column.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Stretch::Ms10 => "10 ms of work",
            Stretch::Ms100 => "100 ms of work",
            Stretch::S1 => "1 s of work",
            Stretch::Steady => "until steady",
        }
    }

    /// The work, as time of the first peer's steady code.
    fn amount_ns(self) -> Option<f64> {
        match self {
            Stretch::Ms10 => Some(1e7),
            Stretch::Ms100 => Some(1e8),
            Stretch::S1 => Some(1e9),
            Stretch::Steady => None,
        }
    }
}

/// What a process takes for a stretch, start included, in nanoseconds; `iteration_ns` is the first
/// peer's steady time, `steady_ns` the engine's own where steps were taken together. `None` where
/// either was not measured.
#[must_use]
pub fn process_ns(
    sample: &Sample,
    stretch: Stretch,
    iteration_ns: f64,
    steady_ns: Option<f64>,
) -> Option<f64> {
    const AS_FAST: f64 = 1.05;
    let steady = Metric::Steady.of(sample)?;
    let start = sample.wall_ns.checked_sub(sample.iter_ns.iter().sum())? as f64;
    let times = sample.iter_ns.iter().map(|&ns| ns as f64);
    let Some(amount_ns) = stretch.amount_ns() else {
        let before = times.take_while(|&ns| ns > AS_FAST * steady);
        return Some(start + before.sum::<f64>());
    };
    let mut left = amount_ns / iteration_ns;
    let mut whole = start;
    for ns in times {
        let part = left.min(1.0);
        whole += part * ns;
        left -= part;
    }
    // A short process of an engine that makes better code while it runs does not see its end.
    Some(whole + left * steady_ns.unwrap_or(steady))
}

/// The steady time of the first peer's processes, by whose work amounts are counted.
fn iteration_ns(results: &Results, workload: &str) -> Option<f64> {
    let cell = results.cell(workload, reference(results)?)?;
    let processes = cell.samples.iter().filter_map(|s| Metric::Steady.of(s));
    let times: Vec<f64> = processes.collect();
    (cell.status == CellStatus::Ok && !times.is_empty()).then(|| stats::median(&times))
}

fn reference(results: &Results) -> Option<&str> {
    let first = results.engines_of(EngineKind::Peer).next()?;
    Some(&first.id)
}

/// An engine's steady time by the steps that it took beside the first peer, as time of processes: the
/// machine's clock may have been another one then.
fn steady_ns(results: &Results, workload: &str, engine: &str) -> Option<f64> {
    let together = |engine| duet::steady_ns(results, workload, engine);
    let ratio = together(engine)? / together(reference(results)?)?;
    Some(ratio * iteration_ns(results, workload)?)
}

/// The median over processes of one engine on one workload; `None` where it has no right result.
#[must_use]
pub fn median_ns(results: &Results, workload: &str, engine: &str, stretch: Stretch) -> Option<f64> {
    let iteration_ns = iteration_ns(results, workload)?;
    let cell = results.cell(workload, engine)?;
    let steady_ns = steady_ns(results, workload, engine);
    let of = |sample| process_ns(sample, stretch, iteration_ns, steady_ns);
    let values: Vec<f64> = cell.samples.iter().filter_map(of).collect();
    (cell.status == CellStatus::Ok && !values.is_empty()).then(|| stats::median(&values))
}

/// Geometric means over the workloads that a tier and a peer both ran.
pub(crate) fn means(results: &Results) -> Vec<WorkMean> {
    let mut means = Vec::new();
    for tier in results.engines_of(EngineKind::Tier) {
        for peer in results.engines_of(EngineKind::Peer) {
            if !peer.is_peer_of(tier) {
                continue;
            }
            for stretch in Stretch::ALL {
                let rows = rows(results, &tier.id, &peer.id, stretch);
                let Some((ratio, n)) = pooled(&rows) else {
                    continue;
                };
                means.push(WorkMean {
                    peer: peer.id.clone(),
                    tier: tier.id.clone(),
                    stretch,
                    ratio: ratio.value,
                    lo: ratio.lo,
                    hi: ratio.hi,
                    n,
                    covered: rows.len(),
                });
            }
        }
    }
    means
}

/// The log gaps of each workload, one per block of the first stage: later ones are of rows that
/// looked slow.
fn rows(results: &Results, tier: &str, peer: &str, stretch: Stretch) -> Vec<Vec<f64>> {
    let row = |workload: &str| {
        let iteration_ns = iteration_ns(results, workload)?;
        let logs = |engine: &str| {
            let cell = results.cell(workload, engine)?;
            let steady_ns = steady_ns(results, workload, engine);
            let of = |sample: &Sample| {
                let of_all = process_ns(sample, stretch, iteration_ns, steady_ns)?;
                (!sample.fresh).then_some(of_all)
            };
            (cell.status == CellStatus::Ok).then(|| by_block(&cell.samples, of))
        };
        let gaps = gaps_of(&logs(tier)?, &logs(peer)?);
        (!gaps.is_empty()).then_some(gaps)
    };
    let compared = |w: &&crate::schema::WorkloadInfo| w.compares(Metric::Steady);
    let workloads = results.workloads.iter().filter(compared);
    workloads.filter_map(|w| row(&w.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(start_ns: u64, iter_ns: &[u64]) -> Sample {
        Sample {
            wall_ns: start_ns + iter_ns.iter().sum::<u64>(),
            iter_ns: iter_ns.to_vec(),
            ..Sample::default()
        }
    }

    #[test]
    fn an_amount_is_start_iterations_and_steady_time_beyond() {
        let warms_up = sample(3_000_000, &[9_000_000, 6_000_000, 5_000_000, 5_000_000]);
        let of = |stretch, iteration_ns| process_ns(&warms_up, stretch, iteration_ns, None);
        // One iteration and a half; all four and sixteen more; no more than a part of the first.
        assert_eq!(of(Stretch::Ms10, 1e7 / 1.5), Some(3e6 + 9e6 + 3e6));
        assert_eq!(of(Stretch::Ms100, 5e6), Some(3e6 + 25e6 + 16.0 * 5e6));
        assert_eq!(of(Stretch::Ms10, 4e7), Some(3e6 + 9e6 / 4.0));
        // Steps taken together went on for longer.
        let on = process_ns(&warms_up, Stretch::Ms100, 5e6, Some(4e6));
        assert_eq!(on, Some(3e6 + 25e6 + 16.0 * 4e6));
    }

    #[test]
    fn steady_begins_with_the_first_iteration_as_fast() {
        let warms_up = sample(3_000_000, &[9_000_000, 5_200_000, 5_000_000, 5_000_000]);
        assert_eq!(
            process_ns(&warms_up, Stretch::Steady, 1.0, None),
            Some(12e6)
        );
        let is_flat = sample(3_000_000, &[5_000_000; 4]);
        assert_eq!(process_ns(&is_flat, Stretch::Steady, 1.0, None), Some(3e6));
    }

    #[test]
    fn what_was_not_measured_has_no_time() {
        let without_wall_time = Sample {
            wall_ns: 0,
            ..sample(1, &[5])
        };
        for stretch in Stretch::ALL {
            assert_eq!(process_ns(&without_wall_time, stretch, 1.0, None), None);
            assert_eq!(process_ns(&sample(1, &[]), stretch, 1.0, None), None);
        }
    }
}
