//! From raw samples to floors, gaps, verdicts and geometric means.
//!
//! In: a [`Results`] with cells and control. Out: the same with `floors`, `gaps` and `geomeans`
//! filled in. It is a function of the samples alone, so a recorded file can be analysed again and
//! must give the same rows. A row is only made where both engines ran the workload with right
//! output; what is missing is counted and named, never imputed.

use crate::duet::{self, Who};
use crate::schema::{
    CellStatus, EngineKind, Floor, Gap, Geomean, Metric, Results, Sample, Spread, Worst,
};
use crate::stats::{self, Verdict};
use crate::work;
use std::collections::{BTreeMap, BTreeSet};

/// Replicates of the block resampling behind the intervals of geometric means.
const REPLICATES: usize = 2000;

/// A floor above this (10 %) means that the machine was too noisy for verdicts on times.
pub(crate) const FLOOR_USABLE: f64 = 0.10;

/// Fills in everything that follows from the raw samples.
pub fn analyse(results: &mut Results) {
    results.floors = floors(results);
    let rows = rows(results);
    let (gaps, geomeans) = (gaps(results, &rows), geomeans(results, &rows));
    results.gaps = gaps;
    results.geomeans = geomeans;
    results.work = work::means(results);
}

/// The log gaps, one per block that both sides have: mean ln y(a) − mean ln y(b).
#[must_use]
pub fn block_gaps(metric: Metric, a: &[Sample], b: &[Sample]) -> Vec<f64> {
    let of = |sample: &Sample| metric.of(sample);
    gaps_of(&by_block(a, of), &by_block(b, of))
}

/// The logarithms of a figure of samples, by block.
pub(crate) type Logs = BTreeMap<(bool, u32), Vec<f64>>;

/// The same of any figure.
pub(crate) fn gaps_of(a: &Logs, b: &Logs) -> Vec<f64> {
    a.iter()
        .filter_map(|(block, ours)| {
            let theirs = b.get(block)?;
            Some(stats::mean(ours) - stats::mean(theirs))
        })
        .collect()
}

/// Median over all processes of a cell, in nanoseconds or bytes; `None` where it has no right result.
pub(crate) fn metric_median(
    results: &Results,
    workload: &str,
    engine: &str,
    metric: Metric,
) -> Option<f64> {
    let cell = results.cell(workload, engine)?;
    if cell.status != CellStatus::Ok {
        return None;
    }
    let together = || duet::steady_ns(results, workload, engine);
    if let (Metric::Steady, Some(ns)) = (metric, together()) {
        return Some(ns);
    }
    let values: Vec<f64> = cell.samples.iter().filter_map(|s| metric.of(s)).collect();
    (!values.is_empty()).then(|| stats::median(&values))
}

/// What the A/A control of a metric gave: a log gap per row, which is the median over its generations or
/// blocks, as that of any row is; one per block where there are few rows.
pub(crate) fn control_gaps(results: &Results, metric: Metric) -> Vec<f64> {
    if metric == Metric::Steady {
        let together = duet::control(results);
        if !together.is_empty() {
            return together;
        }
    }
    control_blocks(results, metric)
}

fn control_blocks(results: &Results, metric: Metric) -> Vec<f64> {
    const ROWS_MIN: usize = 6;
    let pairs = results.control.iter();
    let of_pairs = pairs.map(|pair| block_gaps(metric, &pair.a, &pair.b));
    let rows: Vec<Vec<f64>> = of_pairs.filter(|gaps| !gaps.is_empty()).collect();
    if rows.len() < ROWS_MIN {
        return rows.concat();
    }
    rows.iter().map(|gaps| stats::median(gaps)).collect()
}

/// The geometric mean of rows of log gaps, and the smallest number of blocks behind one.
pub(crate) fn pooled(rows: &[Vec<f64>]) -> Option<(stats::Estimate, usize)> {
    let gaps: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    let ratio = stats::geomean_interval(&gaps, REPLICATES)?.map(f64::exp);
    Some((ratio, gaps.iter().map(|row| row.len()).min()?))
}

/// A figure of samples by block.
pub(crate) fn by_block(samples: &[Sample], of: impl Fn(&Sample) -> Option<f64>) -> Logs {
    let mut blocks = Logs::new();
    for sample in samples {
        if let Some(value) = of(sample) {
            blocks
                .entry((sample.fresh, sample.block))
                .or_default()
                .push(value.ln());
        }
    }
    blocks
}

fn floors(results: &Results) -> Vec<Floor> {
    Metric::ALL
        .into_iter()
        .filter_map(|metric| {
            let gaps = control_gaps(results, metric);
            let middle = stats::median_interval(&gaps)?;
            let floor = stats::noise_floor(&gaps);
            let biased = middle.lo > stats::FLOOR_MIN || middle.hi < -stats::FLOOR_MIN;
            Some(Floor {
                metric,
                floor,
                n: gaps.len(),
                ratio: middle.value.exp(),
                lo: bounded(middle.lo.exp()),
                hi: bounded(middle.hi.exp()),
                failed: biased || floor > FLOOR_USABLE,
            })
        })
        .collect()
}

/// JSON has no infinity: an unbounded end is `None`.
fn bounded(ratio: f64) -> Option<f64> {
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// The gaps of one row, and the stage that they come from.
struct Row<'a> {
    tier: &'a str,
    peer: &'a str,
    metric: Metric,
    workload: &'a str,
    category: &'a str,
    stage: u8,
    gaps: Vec<f64>,
    /// Of steps taken together.
    spread: Option<Spread>,
}

impl Row<'_> {
    /// The noise floor that it is judged by: that of how it was measured.
    fn floor(&self, results: &Results) -> f64 {
        match (self.metric, self.spread) {
            (Metric::Steady, None) => stats::noise_floor(&control_blocks(results, Metric::Steady)),
            (metric, _) => results.floor(metric),
        }
    }
}

fn rows(results: &Results) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for tier in results.engines_of(EngineKind::Tier) {
        for peer in results.engines_of(EngineKind::Peer) {
            if !peer.is_peer_of(tier) {
                continue;
            }
            for workload in &results.workloads {
                let (Some(ours), Some(theirs)) = (
                    results.cell(&workload.id, &tier.id),
                    results.cell(&workload.id, &peer.id),
                ) else {
                    continue;
                };
                if ours.status != CellStatus::Ok || theirs.status != CellStatus::Ok {
                    continue;
                }
                for metric in Metric::ALL.into_iter().filter(|&m| workload.compares(m)) {
                    let together = (metric == Metric::Steady)
                        .then(|| steps_together(results, &workload.id, &tier.id, &peer.id))
                        .flatten();
                    let (stage, gaps, spread) = together.unwrap_or_else(|| {
                        let (stage, gaps) = staged_gaps(metric, &ours.samples, &theirs.samples);
                        (stage, gaps, None)
                    });
                    if !gaps.is_empty() {
                        rows.push(Row {
                            tier: &tier.id,
                            peer: &peer.id,
                            metric,
                            workload: &workload.id,
                            category: &workload.category,
                            stage,
                            gaps,
                            spread,
                        });
                    }
                }
            }
        }
    }
    rows
}

/// The gaps of generations, and the stage that they come from: fresh ones where there are enough.
fn steps_together(
    results: &Results,
    workload: &str,
    tier: &str,
    peer: &str,
) -> Option<(u8, Vec<f64>, Option<Spread>)> {
    let of = |fresh| duet::gaps(results, workload, fresh, Who::first(tier), Who::first(peer));
    let enough = |(gaps, _): &(Vec<f64>, Spread)| stats::interval_rank(gaps.len()).is_some();
    let (stage, (gaps, spread)) = match of(true).filter(enough) {
        Some(fresh) => (2, fresh),
        None => (1, of(false)?),
    };
    Some((stage, gaps, Some(spread)))
}

/// The fresh blocks when there are enough of them for an interval, else those of the first stage:
/// a row that was picked for looking slow is judged by blocks that had no part in the picking.
fn staged_gaps(metric: Metric, ours: &[Sample], theirs: &[Sample]) -> (u8, Vec<f64>) {
    let of = |fresh: bool| {
        let pick = |samples: &[Sample]| -> Vec<Sample> {
            samples
                .iter()
                .filter(|s| s.fresh == fresh)
                .cloned()
                .collect()
        };
        block_gaps(metric, &pick(ours), &pick(theirs))
    };
    let fresh = of(true);
    if stats::interval_rank(fresh.len()).is_some() {
        (2, fresh)
    } else {
        (1, of(false))
    }
}

fn gaps(results: &Results, rows: &[Row<'_>]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = rows
        .iter()
        .filter_map(|row| {
            let estimate = stats::median_interval(&row.gaps)?;
            let floor = row.floor(results);
            let verdict = stats::verdict(estimate, floor);
            let ratios = estimate.map(f64::exp);
            let blocks_needed = (verdict == Verdict::Unsure)
                .then(|| stats::blocks_needed(estimate, floor, row.gaps.len()))
                .flatten();
            Some(Gap {
                peer: row.peer.to_owned(),
                tier: row.tier.to_owned(),
                workload: row.workload.to_owned(),
                category: row.category.to_owned(),
                metric: row.metric,
                ratio: ratios.value,
                lo: bounded(ratios.lo),
                hi: bounded(ratios.hi),
                n: row.gaps.len(),
                verdict,
                stage: row.stage,
                blocks_needed,
                spread: row.spread,
            })
        })
        .collect();
    // Control for many rows: within one tier × peer × metric, a difference that would not survive
    // at q = 5 % across the workloads becomes *unsure*.
    let families: BTreeSet<(&str, &str, Metric)> =
        rows.iter().map(|r| (r.tier, r.peer, r.metric)).collect();
    for family in families {
        let members: Vec<usize> = (0..rows.len())
            .filter(|&i| (rows[i].tier, rows[i].peer, rows[i].metric) == family)
            .collect();
        let p: Vec<f64> = members
            .iter()
            .map(|&i| stats::p_beyond(&rows[i].gaps, rows[i].floor(results)))
            .collect();
        let kept = stats::benjamini_hochberg(&p, stats::FALSE_DISCOVERY_RATE);
        for (&i, keep) in members.iter().zip(kept) {
            let differs = matches!(gaps[i].verdict, Verdict::Slower | Verdict::Faster);
            if differs && !keep {
                gaps[i].verdict = Verdict::Unsure;
                gaps[i].blocks_needed = Some(20.max(gaps[i].n as u64 + 1));
            }
        }
    }
    gaps
}

fn geomeans(results: &Results, rows: &[Row<'_>]) -> Vec<Geomean> {
    let mut families: BTreeMap<(Metric, &str, &str), Vec<&Row<'_>>> = BTreeMap::new();
    for row in rows {
        families
            .entry((row.metric, row.tier, row.peer))
            .or_default()
            .push(row);
    }
    let mut means: Vec<Geomean> = families
        .into_iter()
        .filter_map(|((metric, tier, peer), rows)| {
            let gaps: Vec<&[f64]> = rows.iter().map(|r| r.gaps.as_slice()).collect();
            let ratio = stats::geomean_interval(&gaps, REPLICATES)?.map(f64::exp);
            let mut categories: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            let mut worst = Vec::new();
            for row in &rows {
                let middle = stats::median(&row.gaps);
                categories.entry(row.category).or_default().push(middle);
                worst.push(Worst {
                    workload: row.workload.to_owned(),
                    ratio: middle.exp(),
                });
            }
            worst.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
            worst.truncate(3);
            let means: Vec<f64> = categories.values().map(|v| stats::mean(v)).collect();
            let covered: BTreeSet<&str> = rows.iter().map(|r| r.workload).collect();
            let comparable: Vec<&str> = results
                .workloads
                .iter()
                .filter(|w| w.compares(metric))
                .map(|w| w.id.as_str())
                .collect();
            Some(Geomean {
                peer: peer.to_owned(),
                tier: tier.to_owned(),
                metric,
                ratio: ratio.value,
                lo: ratio.lo,
                hi: ratio.hi,
                n: rows.iter().map(|r| r.gaps.len()).min().unwrap_or(0),
                covered: covered.len(),
                total: comparable.len(),
                missing: comparable
                    .iter()
                    .filter(|w| !covered.contains(*w))
                    .map(|&w| w.to_owned())
                    .collect(),
                balanced: stats::mean(&means).exp(),
                worst,
            })
        })
        .collect();
    // Metrics in their order, then tiers and peers as they were asked for.
    let place = |id: &str| results.engines.iter().position(|e| e.id == id);
    means.sort_by_key(|m| (m.metric, place(&m.tier), place(&m.peer)));
    means
}

/// Whether verdicts on the headline metric are advisory only, because the control failed or is absent.
#[must_use]
pub fn advisory(results: &Results) -> Option<String> {
    doubt(results, results.headline())
}

/// The same of any metric.
#[must_use]
pub fn doubt(results: &Results, metric: Metric) -> Option<String> {
    if results.floors.iter().any(|f| f.metric == metric) {
        return control_failed(results, metric);
    }
    Some(format!(
        "there was no A/A control of {}: verdicts on it are advisory",
        metric.title()
    ))
}

/// What must be said of a metric whose A/A control failed.
#[must_use]
pub fn control_failed(results: &Results, metric: Metric) -> Option<String> {
    let failed = |f: &&Floor| f.metric == metric && f.failed;
    let floor = results.floors.iter().find(failed)?;
    Some(format!(
        "the A/A control of {} failed (the same binary against itself gave {:.3}×, noise floor {:.1} %): \
         verdicts on it are advisory",
        metric.title(),
        floor.ratio,
        floor.floor * 100.0
    ))
}
