//! Steady iterations of engines that are alive together.
//!
//! In: generations of processes, each with the steps of all engines of a row. Out: one log gap per
//! generation, which is the median over its rounds. A round goes through all processes in a random order
//! and back, so that both sides of a gap have the clock of the same few milliseconds; what is left
//! is what differs between processes, address layout above all, and that is between generations.

use crate::schema::{Generation, Player, Results, Spread};
use crate::stats;

/// Which process of an engine is meant.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) engine: &'a str,
    pub(crate) twin: bool,
}

impl<'a> Who<'a> {
    /// The process that takes part in comparisons.
    pub(crate) fn first(engine: &'a str) -> Who<'a> {
        Who {
            engine,
            twin: false,
        }
    }

    /// The other one, for the A/A control.
    pub(crate) fn twin(engine: &'a str) -> Who<'a> {
        Who { engine, twin: true }
    }
}

impl Generation {
    fn player(&self, who: Who<'_>) -> Option<&Player> {
        let is_meant = |p: &&Player| p.engine == who.engine && p.twin == who.twin;
        self.players.iter().find(is_meant)
    }
}

impl Player {
    /// Nanoseconds per kernel of each step.
    fn times(&self) -> impl Iterator<Item = f64> {
        let kernels = f64::from(self.kernels.max(1));
        self.steps_ns
            .iter()
            .map(move |&ns| ns.max(1) as f64 / kernels)
    }

    /// The mean logarithm of each round.
    fn rounds(&self) -> Vec<f64> {
        let logs: Vec<f64> = self.times().map(f64::ln).collect();
        logs.chunks_exact(2).map(stats::mean).collect()
    }
}

/// The log gap of a generation's rounds, each.
fn round_gaps(generation: &Generation, a: Who<'_>, b: Who<'_>) -> Option<Vec<f64>> {
    let (a, b) = (generation.player(a)?, generation.player(b)?);
    let gaps: Vec<f64> = a
        .rounds()
        .iter()
        .zip(b.rounds())
        .map(|(a, b)| a - b)
        .collect();
    (!gaps.is_empty()).then_some(gaps)
}

/// The log gaps of two processes on a workload, one per generation that has both, and how they spread.
pub(crate) fn gaps(
    results: &Results,
    workload: &str,
    fresh: bool,
    a: Who<'_>,
    b: Who<'_>,
) -> Option<(Vec<f64>, Spread)> {
    let of_workload = |g: &&Generation| g.workload == workload && g.fresh == fresh;
    let generations = results.generations.iter().filter(of_workload);
    let rounds: Vec<Vec<f64>> = generations.filter_map(|g| round_gaps(g, a, b)).collect();
    if rounds.is_empty() {
        return None;
    }
    let half_range =
        |of: &[f64], q: f64| (stats::quantile(of, 1.0 - q) - stats::quantile(of, q)) / 2.0;
    let within: Vec<f64> = rounds.iter().map(|r| half_range(r, 0.25)).collect();
    let gaps: Vec<f64> = rounds.iter().map(|r| stats::median(r)).collect();
    let spread = Spread {
        within: stats::median(&within),
        between: half_range(&gaps, 0.0),
    };
    Some((gaps, spread))
}

/// The A/A control of steps: for each workload whose engine had a twin, the gap between the two, which is
/// the median over generations, as that of a row is.
pub(crate) fn control(results: &Results) -> Vec<f64> {
    let mut gaps_of_rows = Vec::new();
    for workload in &results.workloads {
        for engine in &results.engines {
            let (a, b) = (Who::first(&engine.id), Who::twin(&engine.id));
            if let Some((gaps, _)) = gaps(results, &workload.id, false, a, b) {
                gaps_of_rows.push(stats::median(&gaps));
            }
        }
    }
    gaps_of_rows
}

/// An engine's time per kernel on a workload, in nanoseconds: the median over generations of the median
/// over steps.
pub(crate) fn steady_ns(results: &Results, workload: &str, engine: &str) -> Option<f64> {
    let of_workload = |g: &&Generation| g.workload == workload;
    let generations = results.generations.iter().filter(of_workload);
    let times: Vec<f64> = generations
        .filter_map(|g| g.player(Who::first(engine)))
        .map(|player| stats::median(&player.times().collect::<Vec<f64>>()))
        .collect();
    (!times.is_empty()).then(|| stats::median(&times))
}
