//! What the runners of both suites do alike.
//!
//! Everything is measured block by block ([`block`]): a random permutation of the engines and then its
//! reverse, so that drift hits all of them alike, and the blocks of one workload lie spread over the
//! whole run. A few workloads serve as A/A control ([`control`]). A block is recorded whole or not at
//! all, which is what makes an interrupted run resumable. Processes go through [`process`].
//!
//! Not here: which processes make a sample, and how many blocks a workload gets. The suites know that,
//! `corpus` for workloads with a kernel and `real` for jobs.

mod block;
mod control;
mod process;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use block::{Block, Sweep};
pub(crate) use control::Control;
pub(crate) use process::{Processes, note_process};

use crate::engine::Adapter;
use anyhow::Result;
use std::time::Duration;
use zwasm_reports::schema::{CellStatus, Results};
use zwasm_reports::stats::Rng;

/// What a runner reports while it works.
pub(crate) trait Progress {
    /// About this much measuring time is left, from now on.
    fn plan(&self, left: Duration);
    /// This much of the plan is done.
    fn done(&self, part: Duration);
    /// What happens now.
    fn say(&self, what: &str);
}

/// What every step of a run needs: whom it measures, whom it tells, and where results go.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) engines: &'a [Box<dyn Adapter>],
    pub(crate) progress: &'a dyn Progress,
    /// Writes the partial results.
    pub(crate) save: &'a dyn Fn(&Results) -> Result<()>,
    pub(crate) seed: u64,
}

impl<'a> Run<'a> {
    pub(crate) fn adapters(self) -> impl Iterator<Item = &'a dyn Adapter> {
        self.engines.iter().map(AsRef::as_ref)
    }

    /// The engines that can run a workload, as far as is known by now.
    pub(crate) fn running(&self, results: &Results, workload: &str) -> Vec<&'a dyn Adapter> {
        let runs = |&engine: &&dyn Adapter| is_running(results, workload, engine);
        self.adapters().filter(runs).collect()
    }

    /// The order in which workloads have their block in a round.
    pub(crate) fn order(&self, block: u32, workloads: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..workloads).collect();
        // A place that no workload has.
        self.rng(block, usize::MAX).shuffle(&mut order);
        order
    }

    /// A seed for the generation of the workload at this place, the same whenever it is asked.
    pub(crate) fn draw(&self, generation: u32, place: usize) -> u64 {
        self.rng(generation, place).next_u64()
    }

    /// Random numbers for a block of the workload at this place; the same ones whenever it is asked.
    fn rng(&self, block: u32, place: usize) -> Rng {
        let mut rng = Rng::new(self.seed ^ (u64::from(block) << 32) ^ place as u64);
        rng.next_u64();
        rng
    }
}

/// Whether an engine can run a workload, as far as is known by now.
pub(crate) fn is_running(results: &Results, workload: &str, engine: &dyn Adapter) -> bool {
    let cell = results.cell(workload, &engine.info().id);
    cell.is_some_and(|c| c.status == CellStatus::Ok)
}
