//! Single processes, and what a sample has of them.

use crate::exec::{Executor, Invocation, Outcome};
use anyhow::Result;
use std::time::Duration;
use zwasm_reports::schema::Sample;

/// Runs the processes of engines.
pub(crate) struct Processes<'a> {
    pub(crate) executor: &'a mut dyn Executor,
    /// A process that takes longer is killed.
    pub(crate) time_limit: Duration,
}

impl Processes<'_> {
    /// Runs one to its end, or to the time limit.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; a failing process is an outcome.
    pub(crate) fn run(&mut self, invocation: Invocation) -> Result<Outcome> {
        self.executor.run(&invocation.timeout(self.time_limit))
    }
}

/// Takes up in a sample what is measured of every process.
pub(crate) fn note_process(sample: &mut Sample, outcome: &Outcome) {
    sample.wall_ns = outcome.wall_ns;
    sample.user_ns = outcome.user_ns;
    sample.system_ns = outcome.system_ns;
    sample.peak_rss_bytes = outcome.peak_rss_bytes;
    sample.involuntary_switches = outcome.involuntary_switches;
}
