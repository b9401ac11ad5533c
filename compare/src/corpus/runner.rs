//! The run of the corpus: which processes, in which order, how often.
//!
//! In: engines, workloads and a profile. Out: cells with raw samples in a [`Results`].
//!
//! Every engine's number of iterations comes from a calibration run (`calibrate.rs`), so that a process
//! costs about `sample_ms` whatever the engine's speed. The size is the same for all engines of a
//! workload: the standard one where even the slowest engine can afford it, else the small one.
//!
//! A profile with a time limit degrades the most expensive workloads first (`plan.rs`), in steps that
//! keep the comparison fair, and the results name them. `stages.rs` has the blocks, `visit.rs` the
//! processes of one sample.

use crate::engine::Job;
use crate::runner::{Processes, Run};
use crate::setting::Selected;
use anyhow::Result;
use std::path::Path;
use std::time::Instant;
use zwasm_reports::schema::Results;

/// One run in progress.
pub(super) struct CorpusRunner<'a> {
    pub(super) run: Run<'a>,
    pub(super) processes: Processes<'a>,
    pub(super) workloads: &'a [Selected<'a>],
    pub(super) scratch: &'a Path,
    /// When the run began, provisioning included.
    pub(super) started: Instant,
}

impl<'a> CorpusRunner<'a> {
    /// Measures everything that `results` does not have yet.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; `results` is valid in any case.
    pub(super) fn measure(&mut self, results: &mut Results) -> Result<()> {
        self.calibrate(results)?;
        self.first_stage(results)?;
        self.second_stage(results)?;
        self.count_instructions(results)
    }

    /// The workload at this place.
    pub(super) fn id(&self, place: usize) -> &'a str {
        &self.workloads[place].workload.id
    }

    pub(super) fn job(&self, place: usize) -> Job<'a> {
        self.workloads[place].job(self.scratch)
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
