//! How thoroughly each workload is sampled, so that a run ends within its time limit.

use super::runner::CorpusRunner;
use super::visit::{repeated_ns, total_ns};
use crate::runner::Control;
use std::time::Duration;
use zwasm_reports::schema::{Cell, CellStatus, Pace, Results};

/// Iterations per process: enough that half of them can be warm-up, not so many that they bore.
pub(super) const ITERATIONS_MIN: u32 = 3;
pub(super) const ITERATIONS_MAX: u32 = 100;
/// How many workloads serve as A/A control of whole processes: a floor is made of their quartiles.
const CONTROL_WORKLOADS: usize = 12;

/// How thoroughly one workload is sampled, from the most on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Every process in the permutation and in its reverse.
    Whole,
    /// Setup, first result and compile only in the permutation.
    PhasesOnce,
    /// The permutation alone.
    Unmirrored,
    /// The permutation alone, with the fewest iterations.
    Fewest,
}

impl Level {
    fn next(self) -> Option<Level> {
        match self {
            Level::Whole => Some(Level::PhasesOnce),
            Level::PhasesOnce => Some(Level::Unmirrored),
            Level::Unmirrored => Some(Level::Fewest),
            Level::Fewest => None,
        }
    }

    pub(super) fn iterations(self, cell: &Cell) -> u32 {
        match self {
            Level::Fewest => ITERATIONS_MIN,
            _ => cell.iterations.max(ITERATIONS_MIN),
        }
    }
}

/// The plan of one round, in which every workload has a block.
pub(super) struct Plan {
    /// Of each workload.
    pub(super) levels: Vec<Level>,
    /// Of generations.
    pub(super) pace: Option<Pace>,
    pub(super) cost: Duration,
}

impl<'a> CorpusRunner<'a> {
    /// Chooses levels with which the blocks left fit the profile's time limit, given that rounds
    /// take `pace` times what calibration promises.
    pub(super) fn plan(&self, results: &mut Results, blocks: u32, pace: f64) -> Plan {
        let mut levels = vec![Level::Whole; self.workloads.len()];
        let mut generations = results.profile.pace;
        if let (Some(budget_s), Some(left)) = (results.profile.budget_s, self.left(results)) {
            // The margin pays for what calibration underestimates.
            let left = left.mul_f64(0.85);
            let cost = |levels: &[Level], generations| {
                self.round_cost(results, levels, generations).mul_f64(pace) * blocks
            };
            while cost(&levels, generations) > left {
                let cost =
                    |&(place, _): &(usize, Level)| self.block_cost(results, place, levels[place]);
                let thinner = levels.iter().enumerate();
                let thinner = thinner.filter_map(|(place, level)| Some((place, level.next()?)));
                let Some((dearest, level)) = thinner.max_by_key(cost) else {
                    break;
                };
                levels[dearest] = level;
            }
            // Only a busy machine needs fewer rounds, too.
            let too_long = cost(&levels, generations).as_secs_f64() / left.as_secs_f64().max(1e-9);
            if let Some(pace) = generations.as_mut().filter(|_| too_long > 1.0) {
                pace.limit_ns = (pace.limit_ns as f64 / too_long) as u64;
            }
            self.note_thinned(results, budget_s, &levels);
        }
        let cost = self.round_cost(results, &levels, generations);
        self.run.progress.plan(cost * blocks);
        Plan {
            levels,
            pace: generations,
            cost,
        }
    }

    /// What is left of the profile's time.
    pub(super) fn left(&self, results: &Results) -> Option<Duration> {
        let budget = Duration::from_secs(results.profile.budget_s?);
        Some(budget.saturating_sub(self.started.elapsed()))
    }

    /// The expected cost of a block and a generation of every workload, and of the A/A control, whose
    /// blocks cost about as much as those of its workloads.
    fn round_cost(&self, results: &Results, levels: &[Level], pace: Option<Pace>) -> Duration {
        let control = self.control_set(results, levels);
        let places = (0..levels.len()).chain(control.iter().map(|pair| pair.place));
        let cost = |place: usize| self.block_cost(results, place, levels[place]);
        let generation = |place: usize| self.generation_cost(results, place, pace);
        places.map(cost).sum::<Duration>() + (0..levels.len()).map(generation).sum::<Duration>()
    }

    /// The expected cost of one block of a workload.
    pub(super) fn block_cost(&self, results: &Results, place: usize, level: Level) -> Duration {
        let id = self.id(place);
        let is_measured = |c: &&Cell| c.workload == id && c.status == CellStatus::Ok;
        let mut ns = 0;
        for cell in results.cells.iter().filter(is_measured) {
            let Some(c) = cell.calibration else { continue };
            let steady = c.first_result_ns + u64::from(level.iterations(cell)) * c.iter_ns;
            let phases =
                2 * repeated_ns(c.first_result_ns) + c.compile_ns + total_ns(cell).unwrap_or(0);
            ns += match level {
                Level::Whole => 2 * (steady + phases),
                Level::PhasesOnce => 2 * steady + phases,
                Level::Unmirrored | Level::Fewest => steady + phases,
            };
        }
        Duration::from_nanos(ns)
    }

    /// Names every workload that was thinned in this round or in one before.
    fn note_thinned(&self, results: &mut Results, budget_s: u64, levels: &[Level]) {
        const NOTE: &str = "to end within ";
        let known = results.notes.iter().position(|n| n.starts_with(NOTE));
        let known = known.map(|at| results.notes.remove(at)).unwrap_or_default();
        let before: Vec<&str> = known
            .rsplit(": ")
            .next()
            .unwrap_or_default()
            .split(", ")
            .collect();
        let ids = (0..levels.len()).map(|place| self.id(place));
        let thinned: Vec<&str> = ids
            .zip(levels)
            .filter(|(id, level)| **level > Level::Whole || before.contains(id))
            .map(|(id, _)| id)
            .collect();
        if !thinned.is_empty() {
            results.notes.push(format!(
                "{NOTE}{budget_s} s, these were sampled with fewer processes: {}",
                thinned.join(", ")
            ));
        }
    }

    /// The A/A pairs: spread over the cheaper workloads and, in turn, over the engines.
    pub(super) fn control_set(&self, results: &Results, levels: &[Level]) -> Vec<Control<'a>> {
        // A start-up case has no steady iterations to control, unless there is nothing else.
        let any_kernel = self.workloads.iter().any(|w| !w.workload.startup);
        let mut cheap: Vec<(Duration, usize)> = (0..self.workloads.len())
            .filter(|&place| !(any_kernel && self.workloads[place].workload.startup))
            .filter(|&place| !self.run.running(results, self.id(place)).is_empty())
            .map(|place| (self.block_cost(results, place, levels[place]), place))
            .collect();
        cheap.sort();
        cheap.truncate((cheap.len() * 3).div_ceil(4));
        let count = cheap.len().min(CONTROL_WORKLOADS);
        let pair = |i: usize| {
            let (_, place) = cheap[i * cheap.len() / count];
            let workload = self.id(place);
            let engines = self.run.running(results, workload);
            Control {
                workload,
                place,
                engine: engines[i % engines.len()],
            }
        };
        (0..count).map(pair).collect()
    }
}
